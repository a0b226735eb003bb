"""Compare training objectives: objective x label x seed on a finished run, by two judges; resumable.

`python -m benchmarks.quality.training RUN --out DIR [--on NAME=PATH ...] [--lfw LFW]` trains what is not trained yet,
writes the leaderboard of all of it to DIR, with each objective's spread over the seeds, and prints pAUC on the
development half of LFW, natural and with faults, where its folder is given (see benchmarks.quality.photographs).
"""

import argparse
import re
import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.quality.photographs.development import development_photos
from benchmarks.quality.photographs.faces import Faces, faces_of
from benchmarks.quality.training.grid import Cell, cells
from synfiqa.actors.players import player
from synfiqa.actors.quality.factories import ScorerSettings
from synfiqa.cluster.pipeline.ray_session import ray_session
from synfiqa.cluster.run.generations import current
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.evaluation.compare import Protocol, compare
from synfiqa.fiqa_train.evaluation.pairs import embed_flipped, enumerate_pairs, pair_similarity
from synfiqa.fiqa_train.labels.label_pass import run_label
from synfiqa.fiqa_train.training.checkpoints import load_quality_model, load_trained
from synfiqa.fiqa_train.training.train_run import run_train
from synfiqa.jobs.options import config_of_run
from synfiqa.jobs.workflows.leaderboard_files import run_leaderboard
from synfiqa.schemas.config.leaderboard_config import LeaderboardConfig

BUNDLED = "bundled-quality"
IMPOSTORS = 300_000
FMR = 1e-2
SEED = re.compile(r"-s\d+$")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="finished run")
    parser.add_argument("--out", type=Path, required=True, help="folder of the leaderboard")
    parser.add_argument("--on", action="append", default=[], metavar="NAME=PATH", help="test set, repeatable")
    parser.add_argument("--lfw", type=Path, help="folder with one folder of photographs a person")
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--network", default="compact")
    options = parser.parse_args(arguments)
    recorded, storage = config_of_run(options.run, []), current(options.run)
    grid = list(cells(recorded, options.seeds, options.epochs, options.network))
    train_all(grid, storage)
    names = tuple(cell.name for cell in grid)
    board = LeaderboardConfig.model_validate(
        {
            "models": names,
            "evaluate": {
                "scorers": ["model", "label", BUNDLED, "norm", "sharpness", "random"],
                "judges": ["bundled-b", "dlib"],
                "fmr": [1e-2, 1e-3],
                "bootstrap": 0,
            },
        }
    )
    for path in run_leaderboard(board, recorded, options.on, options.out):
        print(path)
    if options.lfw:
        photographs(options.lfw, options.people, storage, names)


def train_all(grid: Sequence[Cell], storage: Storage) -> None:
    """Label and train what is not there yet."""
    with ray_session():
        for cell in grid:
            run_label(cell.config, storage)
            result = run_train(cell.config, storage)
            print(f"{cell.name}: validation Spearman {result.validation_spearman:.3f}", flush=True)


def photographs(lfw: Path, people: int, storage: Storage, names: Sequence[str]) -> None:
    """Print mean and range over the seeds of pAUC at FMR 1e-2 by dlib and bundled-b."""
    photos = development_photos(lfw, people, 5, 0)
    for title, seed in (("natural", None), ("0 to 2 of 15 faults before detection", 0)):
        faces = faces_of(photos, seed)
        models = {name: load_trained(storage, name) for name in names} | {BUNDLED: load_quality_model(BUNDLED)}
        qualities = {name: model.score(faces.images).astype(np.float64) for name, model in models.items()}
        print(f"\n**{title}**, {people} people")
        for judge in ("dlib", "bundled-b"):
            print("\n" + _table(judge, _areas(faces, qualities, judge)), flush=True)


def _areas(faces: Faces, qualities: dict[str, np.ndarray], judge: str) -> dict[str, float]:
    person = np.unique(faces.person, return_inverse=True)[1]
    table = enumerate_pairs(person, IMPOSTORS, 0)
    embedder = player(ScorerSettings().catalogue.model(judge, "embedder"))
    similarity = pair_similarity(embed_flipped(embedder, faces.images), table)
    results = compare(qualities, similarity, table, person, Protocol([FMR], 0.3, 0, 0))
    found = next(result for result in results if result.mode == "leaderboard")
    return {name: method.pauc for name, method in found.methods.items() if method.pauc is not None}


def _table(judge: str, areas: dict[str, float]) -> str:
    groups: dict[str, list[float]] = {}
    for name, area in areas.items():
        groups.setdefault(SEED.sub("", name), []).append(area)
    rows = [f"| judge {judge} | pAUC, FMR {FMR:g} | lowest to highest |", "|---|---|---|"]
    for name, values in groups.items():
        spread = f"{min(values):.3f} to {max(values):.3f}" if len(values) > 1 else ""
        rows.append(f"| {name} | {statistics.mean(values):.3f} | {spread} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
