"""A rendered benchmark as a test set has its images and its fixed pairs."""

import numpy as np

from synfiqa.fiqa_train.datasets.formats import FORMATS, open_test_sets
from synfiqa.fiqa_train.rendered_benchmark.benchmark_set import BENCHMARK
from synfiqa.fiqa_train.rendered_benchmark.folder import Benchmark
from tests.fiqa_train.small_photos import read_all


def test_its_pairs_are_the_fixed_comparisons(small):
    (found,) = open_test_sets([f"rendered={small}"], (BENCHMARK, *FORMATS))
    benchmark = Benchmark.open(small)
    assert found.format == "rendered benchmark"
    assert found.sha256 == benchmark.document["digest"]
    assert int(found.pairs.genuine.sum()) == benchmark.document["counts"]["genuine"]
    np.testing.assert_array_equal(
        found.pairs.genuine, found.identity[found.pairs.first] == found.identity[found.pairs.second]
    )
    np.testing.assert_array_equal(read_all(found)[0], np.concatenate(list(benchmark.chunks())))
