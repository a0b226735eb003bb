"""Measure each model's speed alone, batched and against the released loop, and the annotator's overhead.

`uv run python -m benchmarks.speed.networks.models` measures the bundled models and the full-size published
architectures (random weights, which the store makes in its cache folder). One thread, as in a worker; the variants of a
model alternate, and the best round of each counts, so that ratios are valid on a busy machine too. BLIP alone takes
minutes on one core.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from torch.nn import functional

from synfiqa.actors.degradation.recipe_sampler import candidate_recipe
from synfiqa.actors.device import worker_device
from synfiqa.actors.face3d import HeadRenderer, sample_identity
from synfiqa.actors.face_analysis.mtcnn import MtcnnDetector
from synfiqa.actors.face_analysis.retinaface import anchors
from synfiqa.actors.image_text.captions import REFERENCE_CAPTION
from synfiqa.actors.imaging.alignment import align
from synfiqa.actors.imaging.codec import decode, encode_jpeg, load_photo
from synfiqa.actors.imaging.preprocess import network_input, normalised
from synfiqa.actors.model_store.cache import locate
from synfiqa.actors.model_store.catalogue import Catalogue, Model
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import play
from synfiqa.actors.model_store.resolved_run import resolve
from synfiqa.actors.players import Players
from synfiqa.actors.stages.annotator import BATCH, AnnotatorStage
from synfiqa.actors.stages.conditional_generator import ConditionalGeneratorStage
from synfiqa.actors.stages.identity_generator import IdentityGeneratorStage
from synfiqa.cluster.pipeline.stage import Work
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.rows import CANDIDATES, IDENTITIES

MODELS = (
    *("mtcnn", "line-glasses", "edge-glasses", "landmark-pose", "bundled-a", "bundled-clip"),
    *("random-retinaface", "random-6drepnet360", "random-adaface-ir18", "random-facenet", "random-blip"),
)
PAIRS = ("bundled-a:bundled-clip", "random-facenet:random-blip")
BAR = 0.95
SECONDS = 10.0
"""Time of the rounds of one model; each variant runs at least once."""


@dataclass(frozen=True)
class Faces:
    """Rendered portraits, their landmarks (N, 5, 2) and aligned crops, and the same as files, one an image."""

    portraits: np.ndarray
    landmarks: np.ndarray
    aligned: np.ndarray
    portrait_files: list[Path]
    aligned_files: list[Path]


def rendered(count: int, folder: Path) -> Faces:
    """Render so many faces of 250 x 250 pixels."""
    renderer = HeadRenderer()
    made = [renderer.render(sample_identity(seed), [candidate_recipe(seed)], 250) for seed in range(count)]
    portraits = np.concatenate([one.images for one in made])
    landmarks = np.concatenate([one.landmarks for one in made])
    aligned = align(portraits, landmarks)

    def files(kind: str, images: np.ndarray) -> list[Path]:
        paths = [folder / f"{kind}-{index}.jpg" for index in range(len(images))]
        for path, image in zip(paths, images, strict=True):
            path.write_bytes(encode_jpeg(image, 95))
        return paths

    return Faces(portraits, landmarks, aligned, files("portrait", portraits), files("aligned", aligned))


def call(model: Model, player: Any, portraits: np.ndarray, landmarks: np.ndarray, aligned: np.ndarray) -> Any:
    """Call the model once, by its role, on all faces."""
    role = model.card.role
    if role == "detector":
        return player.detect(list(portraits))
    if role == "pose":
        return player.pose(list(portraits), landmarks)
    if role == "embedder":
        return player.embed(aligned)
    if role == "image_text":
        return player.similarity(aligned, REFERENCE_CAPTION)
    if role == "glasses":
        return player.score(list(portraits), landmarks, aligned)
    raise SystemExit(f"{model.name}: the role {role} is not measured here; leave it out of --models")


def from_files(model: Model, player: Any, faces: Faces) -> Any:
    """Call the model on files, as the pipeline does: read all, one batched call."""
    if model.card.role in ("embedder", "image_text"):
        return call(model, player, faces.portraits, faces.landmarks, np.stack([*map(load_photo, faces.aligned_files)]))
    return call(model, player, np.stack([*map(load_photo, faces.portrait_files)]), faces.landmarks, faces.aligned)


def released(model: Model, player: Any, faces: Faces) -> list[Any]:
    """Run the same network as the released scripts do: file by file, resized by Pillow, batch 1, under no_grad.

    Angles and thresholds that follow a network are left out, which favours this loop.
    """
    card, found = model.card, []
    files = faces.aligned_files if card.role in ("embedder", "image_text") else faces.portrait_files
    for file in files:
        image = Image.open(file).convert("RGB")
        with torch.no_grad():
            found.append(_one(model, player, image))
    return found


def _one(model: Model, player: Any, image: Image.Image) -> Any:
    card = model.card
    if isinstance(player, MtcnnDetector):
        return player._network.detect(image, landmarks=True)
    network, device = player._network.module, player._network.running.device
    if card.role == "detector":
        scale = min(1.0, card.input_size / max(image.size))
        small = np.array(image.resize((round(image.width * scale), round(image.height * scale))))
        pixels = torch.from_numpy(small).to(device).permute(2, 0, 1)[None].float()
        outputs = player._outputs(normalised(pixels, card))[0].cpu().numpy()
        return player._choose(outputs.astype(np.float64), anchors(*small.shape[:2]))
    method = Image.Resampling.BICUBIC if card.resize == "bicubic" else Image.Resampling.BILINEAR
    pixels = network_input(np.array(image.resize((card.input_size, card.input_size), method))[None], card, device)
    if card.role != "image_text":
        return functional.normalize(network(pixels)).cpu().numpy()
    # The released loop encodes the caption anew each time; the matching head that it also runs is left out.
    picture, text = player.image_features(pixels), player.text_features(REFERENCE_CAPTION)
    return functional.cosine_similarity(picture, text).cpu().numpy()


def best_seconds(ways: dict[str, Callable[[], Any]], limit: float) -> dict[str, float]:
    """Run the variants alternately until the time is used up, and return the best time of each."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    begun = time.perf_counter()
    while not times[next(iter(ways))] or time.perf_counter() - begun < limit:
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - start)
    return {name: min(taken) for name, taken in times.items()}


def measure(model: Model, faces: Faces, batches: Sequence[int], precision: Any, limit: float) -> str:
    """Measure one model; return a line with images/s at each micro-batch, and two gains."""
    path = locate(model)
    players = {size: play(model.card, path, Execution(worker_device(), precision, size)) for size in batches}
    arrays = faces.portraits, faces.landmarks, faces.aligned
    ways: dict[str, Callable[[], Any]] = {
        str(size): (lambda player=player: call(model, player, *arrays)) for size, player in players.items()
    }
    if has_loop := hasattr(players[batches[-1]], "_network") and precision == "float32":
        ways["released"] = lambda: released(model, players[batches[0]], faces)
        ways["files"] = lambda: from_files(model, players[batches[-1]], faces)
    seconds = best_seconds(ways, limit)
    count = len(faces.portraits)
    paces = " ".join(f"{count / seconds[str(size)]:>10,.2f}" for size in batches)
    gain = seconds[str(batches[0])] / min(seconds[str(size)] for size in batches)
    loop = f"{count / seconds['released']:>10,.2f} {seconds['released'] / seconds['files']:>8.2f}" if has_loop else ""
    return f"{model.name:<20} {model.card.role:<10} {paces} {gain:>10.2f} {loop}"


def annotated(pair: str, catalogue: str, limit: float) -> float:
    """Measure the annotator stage's speed over that of a bare loop over the same networks, on the same samples."""
    embedder, image_text = pair.split(":")
    config = RunConfig.model_validate(
        {
            "generate": {"references": 4, "degraded": 20},
            "models": {"catalogue": catalogue, "embedder": embedder, "image_text": image_text},
        }
    )
    run = resolve(config)
    generators = IdentityGeneratorStage(run), ConditionalGeneratorStage(run)
    made = generators[0].process(Work("identities", 0, CANDIDATES.empty_table(), plan={"first": 0, "count": 2}))
    rows = [{**row, "identity": row["candidate"]} for row in made.table.to_pylist()]
    sources = pa.Table.from_pylist([{name: row[name] for name in IDENTITIES.names} for row in rows], IDENTITIES)
    unit = generators[1].process(Work("samples", 0, sources))
    stage, players = AnnotatorStage(run), Players(run.models)
    stage.setup()
    pictures = [row["image"]["bytes"] for row in unit.table.to_pylist()]

    def bare() -> None:
        # Batches across identities, unlike the stage: the cost of its smaller batches is part of the figure.
        for start in range(0, len(pictures), BATCH):
            images = np.stack([decode(data) for data in pictures[start : start + BATCH]])
            for network in players.embedders:
                network.embed(images)
            players.image_text.similarity(images, REFERENCE_CAPTION)

    seconds = best_seconds({"bare": bare, "stage": lambda: stage.process(unit)}, limit)
    return seconds["bare"] / seconds["stage"]


def main() -> None:
    """Measure every model, then the annotator on each pair of networks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--catalogue", default="configs/models-test.yaml")
    parser.add_argument("--models", nargs="*", default=MODELS)
    parser.add_argument("--pairs", nargs="*", default=PAIRS, help="embedder:image_text of the annotator")
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--precision", choices=["float32", "bfloat16", "float16"], default="float32")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    catalogue = Catalogue.load(options.catalogue)
    print(f"{options.images} images, {worker_device()}, {options.precision}, torch {torch.__version__}; images/s")
    header = " ".join(f"{f'batch {size}':>10}" for size in options.batches)
    print(f"{'model':<20} {'role':<10} {header} {'best/first':>10} {'released':>10} {'files/it':>8}")
    with tempfile.TemporaryDirectory(prefix="synfiqa-bench-") as folder:
        faces = rendered(options.images, Path(folder))
        for name in options.models:
            print(
                measure(catalogue.model(name), faces, options.batches, options.precision, options.seconds), flush=True
            )
    for pair in options.pairs:
        ratio = annotated(pair, options.catalogue, options.seconds)
        verdict = "met" if ratio >= BAR else "MISSED"
        print(f"annotate stage / bare batched loop, {pair}: {ratio:.3f} (bar {BAR:g}: {verdict})", flush=True)


if __name__ == "__main__":
    main()
