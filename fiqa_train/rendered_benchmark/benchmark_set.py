"""The rendered benchmark as a test set of `synfiqa evaluate --on`."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from synfiqa.fiqa_train.datasets.formats import Format, local, opened
from synfiqa.fiqa_train.datasets.testset import Crops, TestSet
from synfiqa.fiqa_train.rendered_benchmark.folder import DOCUMENT, Benchmark
from synfiqa.fiqa_train.rendered_benchmark.pairs import pair_positions


def is_benchmark(path: Path) -> bool:
    """Return whether a folder holds a finished benchmark."""
    return (path / DOCUMENT).is_file()


def open_benchmark(name: str, path: Path) -> TestSet:
    """Open a benchmark with its fixed pairs; UserError or JobFailed for a damaged one."""
    benchmark = Benchmark.open(path)
    ids = benchmark.images["path"].to_pylist()
    return TestSet(
        name=name,
        format="rendered benchmark",
        protocol="the fixed comparisons of probes with references",
        sha256=str(benchmark.document["digest"]),
        ids=tuple(ids),
        crops=partial(_crops, benchmark),
        identity=benchmark.images["identity"].to_numpy().astype(np.int64),
        pairs=pair_positions(benchmark.pairs, ids),
        is_reference=np.array([role == "reference" for role in benchmark.images["role"].to_pylist()], bool),
    )


def _crops(benchmark: Benchmark) -> Iterator[Crops]:
    for images in benchmark.chunks():
        yield Crops(images, ("",) * len(images))


BENCHMARK = Format("a rendered benchmark", local(is_benchmark), opened(open_benchmark))
"""The row of this format; `synfiqa.fiqa_train.datasets.formats` lies below and cannot name it."""
