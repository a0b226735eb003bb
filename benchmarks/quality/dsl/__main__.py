"""Train compact DSL-FIQA on renders and print what it reaches on held-out identities and degradations.

`uv run python -m benchmarks.quality.dsl` trains for about 15 minutes on two cores; `--identities 24 --epochs 6` is a
first look. The target is the SSIM of the face to the clean portrait. Held-out portraits are of other identities, their
degradations drawn anew. Beside the network stand its ablations (image tokens as queries, no landmarks), sharpness, and
luminance statistics with a kernel regression; a linear probe states how well the encoder separates six kinds.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.quality.dsl.baselines import luminance_statistics, regressed, sharpness_of
from benchmarks.quality.dsl.probe import encoded, probe_accuracy
from synfiqa.actors.nets.fiqa.dsl.dsl_network import DslNetwork
from synfiqa.actors.quality.trained.portraits.portrait_model import PortraitModel
from synfiqa.fiqa_train.bundled.portrait_model.in_process import trained
from synfiqa.fiqa_train.bundled.portrait_model.rendered_portraits import clean_portraits, degraded, of_kinds
from synfiqa.fiqa_train.evaluation.on_test_sets.opinion_agreement import agreement
from synfiqa.fiqa_train.training.dsl.portrait_set import KeptPortraits
from synfiqa.jobs.config import load_config
from synfiqa.schemas.config.train_config import TrainSection

VARIANTS = {
    "dsl-compact": {},
    "image queries": {"queries": "image"},
    "no landmarks": {"landmarks": "none"},
    "neither": {"queries": "image", "landmarks": "none"},
}


def main() -> None:
    """Render, train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identities", type=int, default=120, help="to train on")
    parser.add_argument("--held-out", type=int, default=40, help="identities to test on")
    parser.add_argument("--poses", type=int, default=2, help="clean portraits of an identity")
    parser.add_argument("--copies", type=int, default=6, help="degraded copies of each")
    parser.add_argument("--side", type=int, default=160, help="side of a portrait in pixels")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--encoder-epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each variant")
    parser.add_argument("--only", default=",".join(VARIANTS), help="variants, the first is trained in both stages")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="file to which the figures are written too")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    begin = time.perf_counter()
    parts = {"train": options.identities, "val": max(2, options.identities // 8), "test": options.held_out}
    clean = {part: clean_portraits(0, part, count, options.poses, options.side) for part, count in parts.items()}
    sets = {part: degraded(found, options.copies, number) for number, (part, found) in enumerate(clean.items())}
    print(
        f"{len(sets['train'])} portraits to train on, {len(sets['test'])} to test: {time.perf_counter() - begin:.0f} s"
    )
    figures = baselines(sets["train"], sets["test"])
    section = load_config("configs/train/dsl-fiqa-compact.yaml").train
    for name in options.only.split(","):
        found = [variant(name, section, sets, seed, options) for seed in range(options.seeds)]
        figures[name] = {key: float(np.mean([one[key] for one, _ in found])) for key in found[0][0]}
        figures[name]["spread"] = float(np.std([one["srcc"] for one, _ in found]))
        if VARIANTS[name] == {}:
            kinds = {part: of_kinds(clean[part], number) for number, part in enumerate(("train", "test"))}
            features = {part: encoded(found[0][1], items) for part, (items, _) in kinds.items()}
            figures["probe"] = {
                "accuracy": probe_accuracy(features["train"], kinds["train"][1], features["test"], kinds["test"][1])
            }
        print(json.dumps(figures[name]), flush=True)
    for name, own in figures.items():
        print(f"{name:16s} " + "  ".join(f"{key} {value:.3f}" for key, value in own.items()))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


def baselines(train: KeptPortraits, test: KeptPortraits) -> dict[str, dict[str, float]]:
    """Return the agreement of sharpness and of luminance statistics."""
    images = {"train": [item.image for item in train.items], "test": [item.image for item in test.items]}
    statistics = {part: np.stack([luminance_statistics(image) for image in own]) for part, own in images.items()}
    natural = regressed(statistics["train"], train.scores, statistics["test"])
    return {
        "sharpness": measured(sharpness_of(images["test"]), test.scores),
        "statistics": measured(natural, test.scores),
    }


ENCODERS: dict[int, DslNetwork] = {}
"""Trained encoders by seed: they do not depend on the variant."""


def variant(
    name: str, section: TrainSection, sets: dict[str, KeptPortraits], seed: int, options: argparse.Namespace
) -> tuple[dict[str, float], PortraitModel]:
    """Return the agreement of a variant on the test portraits, and its model."""
    print(f"{name}, seed {seed}", flush=True)
    begin = time.perf_counter()
    dsl = section.dsl.model_copy(update={**VARIANTS[name], "encoder_epochs": options.encoder_epochs})
    own = section.model_copy(update={"dsl": dsl, "epochs": options.epochs})
    model = trained(own, sets["train"], sets["val"], seed, options.threads, ENCODERS.get(seed))
    ENCODERS.setdefault(seed, model.network)
    items = sets["test"].items
    scores = model.score_portraits([item.image for item in items], [np.asarray(item.landmarks) for item in items])
    return measured(scores, sets["test"].scores) | {"seconds": time.perf_counter() - begin}, model


def measured(scores: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """Return SRCC and PLCC, as it is and after the logistic mapping."""
    found = agreement(scores, target)
    return {"srcc": found.srcc, "plcc": found.plcc, "plcc_mapped": found.plcc_mapped}


if __name__ == "__main__":
    main()
