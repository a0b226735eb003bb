"""Faces of held-out people on every ladder, made as in a run: rendered, aligned, degraded, encoded, with true poses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.quality.face_bars.ladders.factors import FACTORS, Factor
from benchmarks.quality.face_bars.ladders.people import base_recipe, drawing_digest, person, references
from benchmarks.quality.face_bars.settings import Settings, spread
from synfiqa.actors.degradation.degrade import clean_crop_and_degrade, portrait_recipe
from synfiqa.actors.face3d import HeadRenderer, Identity
from synfiqa.actors.face_analysis.landmark_pose import pose_from_landmarks
from synfiqa.actors.imaging.codec import decode, encode_jpeg
from synfiqa.fiqa_train.labels.severities import COVERED, FLAT_COLUMNS
from synfiqa.schemas.recipe import Recipe
from synfiqa.schemas.rows import recipe_to_row

PORTRAIT_SIZE = 128
REFERENCE = "reference"
_AT_ONCE = 1024


@dataclass(frozen=True)
class Faces:
    """N stored faces: JPEG bytes, identity number, factor ("reference" for references), level, and label components.

    `yaw` is in |degrees|, measured as in a run on the true landmarks, `downsample` and `blur` are s and b of the
    recipe. `columns` are the `FLAT_COLUMNS` of `synfiqa.fiqa_train.labels.severities` that a run would
    store, a structured float32 array. Rows are in the order of identity, factor, level.
    """

    jpeg: list[bytes]
    identity: np.ndarray
    factor: np.ndarray
    level: np.ndarray
    yaw: np.ndarray
    downsample: np.ndarray
    blur: np.ndarray
    columns: np.ndarray

    def images(self) -> np.ndarray:
        """Return the decoded faces, uint8 RGB (N, 112, 112, 3)."""
        return _decoded(self.jpeg)

    def measured(self, network: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return the outputs of a network for all faces, (N, ...), decoding about a thousand at a time."""
        starts = range(0, len(self.jpeg), _AT_ONCE)
        return np.concatenate([network(_decoded(self.jpeg[start : start + _AT_ONCE])) for start in starts])

    def ladder(self, factor: str, values: np.ndarray) -> np.ndarray:
        """Return the values (N,) of one factor's rows as (identities, levels)."""
        return values[self.factor == factor].reshape(-1, len(FACTORS[factor].levels))

    def save(self, path: Path) -> None:
        """Write everything to one .npz."""
        columns = {name: value for name, value in vars(self).items() if name != "jpeg"}
        sizes = np.array([len(data) for data in self.jpeg])
        np.savez(path, sizes=sizes, data=np.frombuffer(b"".join(self.jpeg), np.uint8), **columns)

    @staticmethod
    def load(path: Path) -> "Faces":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            columns = {name: stored[name] for name in stored.files if name not in ("sizes", "data")}
            data, ends = stored["data"].tobytes(), np.cumsum(stored["sizes"])
        return Faces(
            jpeg=[data[end - size : end] for size, end in zip(np.diff(ends, prepend=0), ends, strict=True)], **columns
        )


def _decoded(jpeg: Sequence[bytes]) -> np.ndarray:
    return np.stack([decode(data) for data in jpeg])


def joined(parts: Sequence[Faces]) -> Faces:
    """Concatenate the faces of all parts."""
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0]) if name != "jpeg"
    }
    return Faces(jpeg=[data for part in parts for data in part.jpeg], **columns)


def ladder_faces(
    someone: Identity,
    base: Recipe,
    reference: Sequence[Recipe],
    factors: Sequence[Factor],
    number: int = 0,
    renderer: HeadRenderer | None = None,
) -> Faces:
    """Make one person's references, then every level of the factors from the base recipe.

    As `synfiqa.actors.stages.conditional_generator` makes a sample of the corrected profile: portrait, alignment by the
    true landmarks, degradation, the factor's own change of the crop, JPEG.
    """
    levels = [(factor, level) for factor in factors for level in factor.levels]
    recipes = [*reference, *(factor.recipe(base, level) for factor, level in levels)]
    crops, yaw, covered = _crops(someone, recipes, renderer or _renderer())
    stored = []
    for index, (recipe, crop) in enumerate(zip(recipes, crops, strict=True)):
        if index >= len(reference):
            factor, level = levels[index - len(reference)]
            crop = factor.crop(crop, level, recipe.seed)
        stored.append(encode_jpeg(crop, recipe.jpeg_quality))
    return Faces(
        jpeg=stored,
        identity=np.full(len(recipes), number),
        factor=np.array([REFERENCE] * len(reference) + [factor.name for factor, _ in levels]),
        level=np.array([0.0] * len(reference) + [level for _, level in levels]),
        yaw=np.abs(yaw),
        downsample=np.array([recipe.downsample for recipe in recipes]),
        blur=np.array([recipe.blur for recipe in recipes]),
        columns=_columns(recipes, yaw, covered),
    )


def ladder_set(settings: Settings) -> Faces:
    """Return the ladders of all factors of the held-out identities, made once and cached in the work folder."""
    path = settings.work / f"ladders-{settings.seed}-{settings.identities}-{drawing_digest()}.npz"
    if not path.exists():
        jobs = [(settings.seed, number) for number in range(settings.identities)]
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npz")
        joined(spread(_held_out, jobs, settings.processes)).save(partial)
        partial.rename(path)
    return Faces.load(path)


def _held_out(job: tuple[int, int]) -> Faces:
    return ladder_faces(person(*job), base_recipe(*job), references(*job), list(FACTORS.values()), job[1])


@cache
def _renderer() -> HeadRenderer:
    return HeadRenderer()


def _columns(recipes: Sequence[Recipe], yaw: np.ndarray, covered: np.ndarray) -> np.ndarray:
    rows = [recipe_to_row(recipe) for recipe in recipes]
    known = {"measured_yaw": yaw, **dict(zip(COVERED, covered.T, strict=True))}
    found = np.empty(len(rows), [(name, np.float32) for name in FLAT_COLUMNS])
    for name in FLAT_COLUMNS:
        found[name] = known[name] if name in known else [row[name] for row in rows]
    return found


def _crops(
    someone: Identity, recipes: Sequence[Recipe], renderer: HeadRenderer
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Return the aligned and degraded crop of each recipe, the yaw of its landmarks in degrees, and occluded shares."""
    drawn = [portrait_recipe(recipe) for recipe in recipes]
    different = list(dict.fromkeys(drawn))
    rendered = renderer.render(someone, different, PORTRAIT_SIZE)
    place = {recipe: index for index, recipe in enumerate(different)}
    places = [place[recipe] for recipe in drawn]
    crops = [
        clean_crop_and_degrade(rendered.images[index], rendered.landmarks[index], recipe).image
        for recipe, index in zip(recipes, places, strict=True)
    ]
    return crops, pose_from_landmarks(rendered.landmarks)[places, 0], rendered.occluded_regions[places]
