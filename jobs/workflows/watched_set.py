"""A test set that a training is measured on while it runs: pAUC of the network of the moment."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.selection import catalogue_of
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.datasets.formats import FORMATS, open_test_sets
from synfiqa.fiqa_train.datasets.testset import TestSet
from synfiqa.fiqa_train.evaluation.compare import resolvable
from synfiqa.fiqa_train.evaluation.edc import edc
from synfiqa.fiqa_train.evaluation.held_out import load_embedder
from synfiqa.fiqa_train.evaluation.on_test_sets.set_pairs import pairs_of
from synfiqa.fiqa_train.evaluation.pairs import embed_flipped, pair_similarity
from synfiqa.fiqa_train.rendered_benchmark.benchmark_set import BENCHMARK
from synfiqa.fiqa_train.training.engine.worker_task import Measure, Scores
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError

MOST_IMAGES = 20_000
"""Images of a set that a worker keeps in memory, 37.6 KB each."""
WHERE = "train.watch.test_sets"


@dataclass(frozen=True)
class WatchedTestSet:
    """A set by name and path, its digest, and the embedder that verifies its pairs at an FMR."""

    name: str
    path: str
    sha256: str
    embedder: Model
    fmr: float
    seed: int

    def open(self) -> Measure:
        """Read the faces, embed them once, and return what computes the pAUC of scores in leaderboard mode."""
        found = _opened(self.name, self.path)
        embedder, images, vectors, present = load_embedder(self.embedder), [], [], []
        for crops in found.crops():
            here = np.array([not reason for reason in crops.reasons], bool)
            present.append(here)
            if here.any():
                images.append(crops.images[here])
                vectors.append(embed_flipped(embedder, crops.images[here]))
        shown = np.concatenate(present)
        pairs = pairs_of(found, "probe-reference", self.seed).between(shown).table
        row = np.cumsum(shown) - 1
        first, second = row[pairs.first], row[pairs.second]
        similarity = pair_similarity(np.concatenate(vectors), replace(pairs, first=first, second=second))
        faces = np.concatenate(images)

        def measure(scores: Scores) -> Mapping[str, float]:
            quality = scores(faces)
            curve = edc(similarity, pairs.genuine, np.minimum(quality[first], quality[second]), self.fmr)
            return {"pauc": curve.pauc}

        return measure


def watched_sets(config: RunConfig) -> list[WatchedTestSet]:
    """Return the sets of `train.watch.test_sets`; UserError for one that cannot be opened, or carries no such FMR."""
    section = config.train.watch
    if not section.test_sets:
        return []
    embedder, found = catalogue_of(config.models).model(section.embedder, "embedder"), []
    for name, given in section.test_sets.items():
        # Workers run in other folders, so a relative path must not travel.
        path = Storage(given).url
        opened = _opened(name, path)
        if opened.templates is not None or len(opened.ids) > MOST_IMAGES:
            raise UserError(
                f"{WHERE}: {name} has {len(opened.ids)} images or templates, too many to measure in training: take a "
                f"set of at most {MOST_IMAGES} single images, and `synfiqa evaluate --on {name}={path}` afterwards"
            )
        _, skipped = resolvable([section.fmr], *pairs_of(opened, "probe-reference", config.run.seed).counts)
        if skipped:
            raise UserError(
                f"{WHERE}: {name} carries no FMR {section.fmr:g} ({skipped[0].reason}): raise train.watch.fmr"
            )
        found.append(WatchedTestSet(name, path, opened.sha256, embedder, section.fmr, config.run.seed))
    return found


def _opened(name: str, path: str) -> TestSet:
    (found,) = open_test_sets([f"{name}={path}"], (BENCHMARK, *FORMATS), WHERE)
    return found
