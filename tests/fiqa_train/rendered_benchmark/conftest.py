"""One small benchmark, made once: three identities, two ladders."""

import pytest

from synfiqa.fiqa_train.rendered_benchmark.make import make_benchmark
from synfiqa.fiqa_train.rendered_benchmark.plan import Settings

SMALL = Settings(identities=3, references=2, mixed=1, factors=("yaw", "noise"))


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark") / "small"
    make_benchmark(folder, SMALL, 1, lambda done, planned: None)
    return folder
