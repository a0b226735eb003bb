"""`train.watch.test_sets` takes what `evaluate --on` does, the rendered benchmark too, and its errors name that key."""

import numpy as np
import pytest

from synfiqa.fiqa_train.datasets.formats import open_test_sets
from synfiqa.fiqa_train.rendered_benchmark.benchmark_set import BENCHMARK
from synfiqa.jobs.workflows.watched_set import watched_sets
from synfiqa.schemas.errors import UserError
from tests.fiqa_train.labelled_run import small_config
from tests.fiqa_train.rendered_benchmark.conftest import small

__all__ = ["small"]


def watching(path, **watch):
    return small_config(
        "unused", train={"watch": {"test_sets": {"bench": str(path)}, "embedder": "bundled-a", **watch}}
    )


def test_a_rendered_benchmark_is_watched(small):
    """It was refused as of no known format, though `evaluate --on` takes it."""
    (watched,) = watched_sets(watching(small, fmr=0.1))
    (opened,) = open_test_sets([f"bench={small}"], (BENCHMARK,))
    scored = []

    def scores(faces):
        scored.append(faces.shape)
        return np.arange(len(faces)) / len(faces)

    # So few people are all told apart: the curve has no value, and the reader of the log sees none.
    assert set(watched.open()(scores)) == {"pauc"}
    assert scored == [(len(opened.ids), 112, 112, 3)]
    assert watched.sha256 == opened.sha256


def test_a_path_is_absolute_for_the_workers(small, monkeypatch):
    """They have a folder of their own: the set was opened, then the training failed after four attempts to find it."""
    monkeypatch.chdir(small.parent)
    (watched,) = watched_sets(watching(small.name, fmr=0.1))
    assert watched.path == str(small.resolve())


def test_a_set_that_cannot_be_opened_is_named_by_its_key(tmp_path):
    """The sentence began with --on, an option that `synfiqa train` does not have."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"^train\.watch\.test_sets bench: .*empty is of no known format.*rendered"):
        watched_sets(watching(tmp_path / "empty"))
    with pytest.raises(UserError, match=r"^train\.watch\.test_sets bench: .*gone does not exist"):
        watched_sets(watching(tmp_path / "gone"))


def test_a_set_too_small_for_the_rate_is_refused(small):
    with pytest.raises(UserError, match=r"bench carries no FMR 1e-05 .*raise train\.watch\.fmr"):
        watched_sets(watching(small, fmr=1e-5))
