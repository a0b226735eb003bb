"""Train compact DSL-FIQA on renders and print what it reaches on held-out identities and degradations.

`uv run python -m benchmarks.quality.dsl` trains the network by `configs/train/dsl-fiqa-compact.yaml` as `synfiqa
bootstrap --part dsl` does, and its ablations (image tokens as queries, no landmarks, neither); `--identities 24
--epochs 2` is a first look, `--whole bundled-dsl` takes the whole network as it ships, `--encoder bundled-dsl` its
encoder for every variant, so that only the second stage is trained. The target is 1 - GMSD of the
face to the clean portrait. Held-out portraits are of other identities, their degradations drawn anew. Beside the
networks stand sharpness, and luminance statistics with a kernel regression; a linear probe states how well the encoder
separates six kinds.
"""

import argparse
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.quality.dsl.baselines import luminance_statistics, regressed, sharpness_of
from benchmarks.quality.dsl.probe import encoded, probe_accuracy
from synfiqa.actors.model_store.cache import locate
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import play
from synfiqa.actors.nets.fiqa.dsl.dsl_network import DslNetwork
from synfiqa.actors.quality.factories import ScorerSettings
from synfiqa.actors.quality.trained.portraits.portrait_model import PortraitModel
from synfiqa.fiqa_train.bundled.portrait_model.dsl_model import PortraitPlan, portrait_sets
from synfiqa.fiqa_train.bundled.portrait_model.in_process import trained
from synfiqa.fiqa_train.bundled.portrait_model.rendered_portraits import of_kinds
from synfiqa.fiqa_train.evaluation.on_test_sets.opinion_agreement import agreement
from synfiqa.fiqa_train.training.dsl.portrait_set import KeptPortraits
from synfiqa.jobs.config import load_config

VARIANTS = {
    "dsl-compact": {},
    "image queries": {"queries": "image"},
    "no landmarks": {"landmarks": "none"},
    "neither": {"queries": "image", "landmarks": "none"},
}


def main() -> None:
    """Render, train, measure, print."""
    plan = PortraitPlan()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identities", type=int, default=plan.identities, help="to train on")
    parser.add_argument("--held-out", type=int, default=plan.held_out, help="identities to test on")
    parser.add_argument("--poses", type=int, default=plan.poses, help="clean portraits of an identity")
    parser.add_argument("--copies", type=int, default=plan.copies, help="degraded copies of each, to train on")
    parser.add_argument("--epochs", type=int, help="of scores (default: those of the config)")
    parser.add_argument("--encoder-epochs", type=int, help="of the encoder (default: those of the config)")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each variant")
    parser.add_argument("--only", default=",".join(VARIANTS), help="variants, the first is trained in both stages")
    parser.add_argument("--whole", default="", help="model that stands for the whole network, such as bundled-dsl")
    parser.add_argument("--encoder", default="", help="model whose encoder all variants take, such as bundled-dsl")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="file to which the figures are written too")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="  %(message)s")
    torch.set_num_threads(options.threads)
    begin = time.perf_counter()
    sets = portrait_sets(
        0, replace(plan, **{key: getattr(options, key) for key in ("identities", "held_out", "poses", "copies")})
    )
    print(
        f"{len(sets['train'])} portraits to train on, {len(sets['test'])} to test: {time.perf_counter() - begin:.0f} s"
    )
    figures = baselines(sets["train"], sets["test"])
    given = shipped(options.whole) if options.whole else None
    if options.encoder:
        ENCODERS.update(dict.fromkeys(range(options.seeds), shipped(options.encoder).network))
    for name in options.only.split(","):
        whole = VARIANTS[name] == {}
        found = [variant(name, sets, seed, options, given) for seed in range(1 if given and whole else options.seeds)]
        figures[name] = {key: float(np.mean([one[key] for one, _ in found])) for key in found[0][0]}
        figures[name]["spread"] = float(np.std([one["srcc"] for one, _ in found]))
        if whole:
            figures["probe"] = {"accuracy": probed(found[0][1], sets)}
        print(json.dumps(figures[name]), flush=True)
    for name, own in figures.items():
        print(f"{name:16s} " + "  ".join(f"{key} {value:.3f}" for key, value in own.items()))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


def shipped(name: str) -> PortraitModel:
    """Return a model of portraits by its name in the store."""
    settings = ScorerSettings()
    model = settings.model(name)
    found = play(model.card, locate(model), Execution("cpu"))
    assert isinstance(found, PortraitModel)
    return found


def probed(model: PortraitModel, sets: Mapping[str, KeptPortraits]) -> float:
    """Return the share of kinds of degradation that a linear probe of the encoder names on held-out identities."""
    kinds = {}
    for number, part in enumerate(("train", "test")):
        clean = {id(item.clean): item for item in sets[part].items}.values()
        kinds[part] = of_kinds([replace(item, image=item.clean) for item in clean], number)
    features = {part: encoded(model, items) for part, (items, _) in kinds.items()}
    return probe_accuracy(features["train"], kinds["train"][1], features["test"], kinds["test"][1])


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
    name: str, sets: Mapping[str, KeptPortraits], seed: int, options: argparse.Namespace, given: PortraitModel | None
) -> tuple[dict[str, float], PortraitModel]:
    """Return the agreement of a variant on the test portraits, and its model."""
    print(f"{name}, seed {seed}", flush=True)
    begin = time.process_time()
    section = load_config("configs/train/dsl-fiqa-compact.yaml").train
    stages = {} if options.encoder_epochs is None else {"encoder_epochs": options.encoder_epochs}
    dsl = section.dsl.model_copy(update={**VARIANTS[name], **stages})
    own = section.model_copy(update={"dsl": dsl, "epochs": options.epochs or section.epochs})
    if given and VARIANTS[name] == {}:
        model = given
    else:
        start = given.network if given else ENCODERS.get(seed)
        model = trained(own, sets["train"], sets["val"], seed, options.threads, start)
    ENCODERS.setdefault(seed, model.network)
    items = sets["test"].items
    scores = model.score_portraits([item.image for item in items], [np.asarray(item.landmarks) for item in items])
    return measured(scores, sets["test"].scores) | {"cpu_s": time.process_time() - begin}, model


def measured(scores: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """Return SRCC and PLCC, as it is and after the logistic mapping."""
    found = agreement(scores, target)
    return {"srcc": found.srcc, "plcc": found.plcc, "plcc_mapped": found.plcc_mapped}


if __name__ == "__main__":
    main()
