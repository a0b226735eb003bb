"""Draw the pictures of `docs/faces.md`: 64 identities, one under 40 nuisances, expression ladders, skin tones, poses,
things worn over the face, every factor of the camera, people with things of their own, details of skin.

`python -m benchmarks.quality.face_sheets` writes them to docs/pictures; `--out` elsewhere. About two CPU-minutes. With
`--run runs/quickstart`, a finished run, it also writes README's overview of it, and ladders of factors on crops with
labels of form fusion on the scale of the run; no page shows these.
"""

import argparse
import io
from collections.abc import Callable, Sequence
from itertools import count, islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from PIL import Image, ImageOps

from benchmarks.quality.camera_ladders.camera_sheet import camera_sheet
from benchmarks.quality.camera_ladders.strips import Strip
from benchmarks.quality.camera_ladders.strips import sheet as sheet_of
from benchmarks.quality.face_bars.labels import NOT_JUDGED, fused_labels, networks_of
from benchmarks.quality.face_bars.ladders.factors import FACTORS
from benchmarks.quality.face_bars.ladders.ladder_set import ladder_faces
from benchmarks.quality.face_bars.ladders.people import REFERENCES, cleaned
from synfiqa.actors.degradation.camera.photograph import photographed
from synfiqa.actors.degradation.recipe_sampler import degraded_recipes, identity_recipes, reference_recipes
from synfiqa.actors.face3d import HeadRenderer, Identity, sample_identity
from synfiqa.actors.face3d.render.scene import WIDE
from synfiqa.actors.face3d.shape.person import MORE_BEARDS, sample_person
from synfiqa.actors.face_analysis.mtcnn import MtcnnDetector
from synfiqa.actors.generation.conditional.photographed_faces import photographed_faces
from synfiqa.actors.imaging.codec import decode
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.generations import current
from synfiqa.cluster.run.manifest import load_run
from synfiqa.fiqa_train.labels.label_pass import read_labels, require_calibration
from synfiqa.schemas.config.generate import DegradedSection, GenerateSection
from synfiqa.schemas.config.people import PeopleSection
from synfiqa.schemas.recipe import Expression, Gaze, Light, Pose, Recipe, with_value
from synfiqa.schemas.seeds import derive_seed

LIMIT_BYTES, CAMERA_BYTES = 300_000, 600_000
STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
_LIGHT = Light(azimuth=-35, elevation=28, harshness=0.15)


def main() -> None:
    """Write all sheets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run", help="finished run whose scale labels the ladders of all factors")
    parser.add_argument("--label", default="default", help="its label pass")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    sheets = {
        "faces-identities": identities(arguments.seed),
        "faces-nuisances": nuisances(arguments.seed),
        "faces-expressions": expressions(arguments.seed),
        "faces-skin-tones": skin_tones(arguments.seed),
        "faces-poses": poses(arguments.seed),
        "faces-photographs": photographs(arguments.seed),
        "faces-camera": camera_sheet(arguments.seed, MtcnnDetector()),
        "faces-worn": worn(arguments.seed),
        "faces-people": owners(arguments.seed),
        "faces-skin": skins(arguments.seed),
    }
    if arguments.run:
        sheets["faces-fused-labels"] = factor_ladders(arguments.seed, arguments.run, arguments.label)
        sheets["overview"] = overview(arguments.run, arguments.label)
    for name, sheet in sheets.items():
        path = arguments.out / f"{name}.jpg"
        path.write_bytes(jpeg(sheet, CAMERA_BYTES if name == "faces-camera" else LIMIT_BYTES))
        print(path, sheet.shape[1], "x", sheet.shape[0], path.stat().st_size, "bytes")


def person(seed: int, number: int) -> Identity:
    """Return the number-th identity of a sheet seed, in no run and no training set."""
    return sample_identity(derive_seed(seed, "sheet", number))


def identities(seed: int, size: int = 160) -> np.ndarray:
    """Return 64 different people as in references, 8 x 8."""
    renderer = HeadRenderer(supersample=2)
    recipes = [reference_recipes(seed, number, 1, "corrected")[0] for number in range(64)]
    shown = [renderer.render(person(seed, number), [recipe], size).images[0] for number, recipe in enumerate(recipes)]
    return grid(shown, 8)


def nuisances(seed: int, size: int = 160) -> np.ndarray:
    """Return one person in 40 degraded samples before blur and compression, 8 x 5."""
    recipes = degraded_recipes(seed, 36, 40, DegradedSection(), "corrected")
    shown = HeadRenderer(supersample=2, hair_varies=True).render(person(seed, 36).without_glasses(), recipes, size)
    return grid(list(shown.images), 8)


def expressions(seed: int, size: int = 176) -> np.ndarray:
    """Return a row for every expression unit from 0 to 1 of two people, then gaze to the sides and up and down."""
    faces = [Expression(**{unit: step}) for unit in Expression.model_fields for step in STEPS]
    looks = [Gaze(yaw=float(angle)) for angle in (-30, -15, 0, 15, 30)]
    looks += [Gaze(pitch=float(angle)) for angle in (-20, -10, 0, 10, 20)]
    recipes = [Recipe(kind="reference", seed=1, expression=face, light=_LIGHT) for face in faces]
    recipes += [Recipe(kind="reference", seed=1, gaze=gaze, light=_LIGHT) for gaze in looks]
    both = []
    for number in (36, 7):
        images = HeadRenderer(supersample=2).render(person(seed, number).without_glasses(), recipes, size).images
        both.append(grid([crop(image, 0.2) for image in images], len(STEPS)))
    return np.concatenate(both, 1)


def skin_tones(seed: int, size: int = 160) -> np.ndarray:
    """Return two people in each tone of the Monk scale, 1 to 10 from left to right."""
    recipe = Recipe(kind="reference", seed=2, background="gradient", light=_LIGHT)
    shown = []
    for number in (5, 12):
        someone = person(seed, number).with_attributes(hair_colour="black", glasses=False)
        for tone in range(1, 11):
            renderer = HeadRenderer(supersample=2)
            shown.append(crop(renderer.render(someone.with_attributes(skin_tone=tone), [recipe], size).images[0]))
    return grid(shown, 10)


def poses(seed: int, size: int = 160) -> np.ndarray:
    """Return four people turning from profile to profile, looking up and down, and in hard light from the side."""
    recipes = [Recipe(kind="reference", seed=3, pose=Pose(yaw=yaw), light=_LIGHT) for yaw in (-90, -60, -30, 0, 30, 60)]
    recipes += [Recipe(kind="reference", seed=3, pose=Pose(pitch=pitch), light=_LIGHT) for pitch in (-25, 25)]
    hard = Light(azimuth=70, elevation=25, harshness=0.9)
    recipes += [Recipe(kind="reference", seed=3, pose=Pose(yaw=yaw), light=hard) for yaw in (0, 25)]
    renderer = HeadRenderer(supersample=2)
    people = [person(seed, number).without_glasses() for number in (0, 7, 13, 30)]
    return grid([image for someone in people for image in renderer.render(someone, recipes, size).images], 10)


def photographs(seed: int, people: int = 4, side: int = 112) -> np.ndarray:
    """Return two references and ten degraded samples of each person: the photograph, and below it the crop."""
    settings = GenerateSection(profile="camera", portrait_size=192, references=2, degraded=10)
    renderer, detector, rows = HeadRenderer(), MtcnnDetector(), []
    for number in range(people):
        recipes = identity_recipes(seed, number, settings)
        shown = renderer.render(person(seed, number).without_glasses(), recipes, round(WIDE * settings.portrait_size))
        taken = [photographed(*each).image for each in zip(shown.images, shown.landmarks, recipes, strict=True)]
        faces = photographed_faces(list(shown.images), list(shown.landmarks), recipes, detector)
        rows.append([_fitted(image, side) for image in taken])
        rows.append([face.image for face in faces])
    return np.concatenate([framed(row, len(row)) for row in rows])


def _fitted(image: np.ndarray, side: int) -> np.ndarray:
    """Return an image shrunk or enlarged to fit a white square of this side."""
    small = ImageOps.contain(Image.fromarray(image), (side, side))
    return np.asarray(ImageOps.pad(small, (side, side), color="white"))


def worn(seed: int, size: int = 144) -> np.ndarray:
    """Return glare, hijab, hood and headphones at coverage 0, 0.5 and 1, turned and in profile, of two people each."""
    rows: list[np.ndarray] = []
    for kind in ("glare", "hijab", "hood", "headphones"):
        for number in (7, 30):
            recipes = [
                Recipe(
                    kind="degraded",
                    seed=number,
                    occluder=kind,
                    occluder_coverage=coverage,
                    pose=Pose(yaw=yaw, pitch=pitch),
                    light=_LIGHT,
                )
                for coverage, yaw, pitch in ((0, 0, 0), (0.5, 0, 0), (1, 0, 0), (0.3, 35, 0), (0.6, -70, 0))
            ]
            rows += list(
                HeadRenderer(supersample=2).render(person(seed, number).without_glasses(), recipes, size).images
            )
    return grid(rows, 10)


def owners(seed: int) -> np.ndarray:
    """Return eight people each with a cap, a headscarf and glasses of their own, from four sides."""
    shown: list[np.ndarray] = []
    for people in (PeopleSection(cap=1), PeopleSection(headscarf=1), PeopleSection(glasses=1)):
        shown += _eight(seed, people, _owns)
    return grid(shown, 8)


def _owns(one: Identity) -> bool:
    return one.attributes["headwear"] != "none" or bool(one.attributes.get("own_glasses", False))


def skins(seed: int) -> np.ndarray:
    """Return eight people each with age lines, freckles and moles, and added beards."""
    shown = _eight(seed, PeopleSection(lines=1), lambda one: one.number("lines") > 0.4, turned=False)
    shown += _eight(seed, PeopleSection(freckles=1, moles=3), lambda one: one.number("freckled") > 0, turned=False)
    shown += _eight(seed, PeopleSection(beards=1), lambda one: one.attributes["beard"] in MORE_BEARDS)
    return grid(shown, 8)


def _eight(
    seed: int, people: PeopleSection, wanted: Callable[[Identity], bool], turned: bool = True, size: int = 144
) -> list[np.ndarray]:
    """Return the first eight people whom `wanted` accepts, frontal or from four sides in turn."""
    sides = (Pose(), Pose(yaw=35), Pose(yaw=-70, pitch=5), Pose(yaw=-15, pitch=18)) if turned else (Pose(),)
    found = (sample_person(derive_seed(seed, "sheet", number), people) for number in count())
    recipe = Recipe(kind="reference", seed=4, background="gradient", light=_LIGHT)
    return [
        HeadRenderer(supersample=2).render(one, [with_value(recipe, "pose", sides[at % len(sides)])], size).images[0]
        for at, one in enumerate(islice((one for one in found if wanted(one)), 8))
    ]


def factor_ladders(seed: int, run: str, label: str, number: int = 36) -> np.ndarray:
    """Return a row for every factor from clean to worst, the label on the run's scale below each face."""
    factors = [factor for name, factor in FACTORS.items() if name not in NOT_JUDGED]
    shown = reference_recipes(seed, number, REFERENCES + 1, "corrected")
    faces = ladder_faces(person(seed, number).without_glasses(), cleaned(shown[-1]), shown[:-1], factors)
    storage = current(run)
    calibration = require_calibration(storage, label)
    labels = fused_labels(calibration, faces, networks_of(storage))
    images, strips = faces.images(), []
    for factor in factors:
        own = np.flatnonzero(faces.factor == factor.name)
        strips.append(Strip(factor.name, "", [images[row] for row in own], [f"{labels[row]:.2f}" for row in own]))
    return sheet_of(strips)


def overview(run: str, label: str, columns: int = 12, number: int = 3) -> np.ndarray:
    """Return references of 24 identities of a run, and below all samples of one, best label first: README's picture."""
    storage = current(run)
    store = ShardStore(storage, load_run(storage).fingerprint)
    rows = pa.concat_tables(store.tables("samples", ["sample_id", "identity", "kind", "index", "image"])).to_pylist()
    quality = {row["sample_id"]: row["quality"] for row in read_labels(storage, label).to_pylist()}
    first = [row for row in rows if row["kind"] == "reference" and row["index"] == 0]
    references = [row for row in rows if row["identity"] == number and row["kind"] == "reference"]
    degraded = [row for row in rows if row["identity"] == number and row["kind"] == "degraded"]
    degraded.sort(key=lambda row: -quality.get(row["sample_id"], 0.0))
    upper, lower = (
        framed([decode(row["image"]["bytes"]) for row in some], columns)
        for some in (first[: 2 * columns], [*references, *degraded][: 2 * columns])
    )
    return np.concatenate([upper, np.full((16, upper.shape[1], 3), 255, np.uint8), lower])


def framed(images: Sequence[np.ndarray], columns: int, gap: int = 4) -> np.ndarray:
    """Return equal images (H, W, 3) as rows of so many columns with white between them."""
    wide = [np.pad(image, ((0, gap), (0, gap), (0, 0)), constant_values=255) for image in images]
    return grid(wide, columns)[:-gap, :-gap]


def crop(image: np.ndarray, margin: float = 0.12) -> np.ndarray:
    """Return the head of a portrait, cropped by a share of its height above and a little less below."""
    size = image.shape[0]
    return image[round(margin * size) : round((1.04 - margin) * size), round(0.2 * size) : round(0.8 * size)]


def grid(images: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Return equal images (H, W, 3) as rows of so many columns."""
    rows = [np.concatenate(images[start : start + columns], 1) for start in range(0, len(images), columns)]
    return np.concatenate(rows, 0)


def jpeg(image: np.ndarray, limit: int = LIMIT_BYTES) -> bytes:
    """Return the image as the best JPEG of so many bytes at most."""
    for quality in range(92, 30, -4):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= limit:
            break
    return buffer.getvalue()


if __name__ == "__main__":
    main()
