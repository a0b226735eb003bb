"""Measure the error-versus-discard curve on many pairs: against sorting them all, and its memory; and similarities.

`python -m benchmarks.speed.edc` takes 10^7 pairs, and templates as many as those of IJB-C (15.7 million pairs). The
ratio to sorting both ways is that of CPU seconds in one process. Exit code 1 when both disagree.
"""

import argparse
import resource
import sys
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from synfiqa.fiqa_train.evaluation.edc import edc
from synfiqa.fiqa_train.evaluation.pairs import PairTable, pair_similarity
from synfiqa.fiqa_train.evaluation.weighted_pairs import WeightedPairs

FMR = 1e-3
RATIO_BAR, BYTES_BAR, IJBC_GB_BAR = 3.0, 40, 4.0
TEMPLATES, TEMPLATE_PAIRS, WIDTH = 23_124, 15_658_489, 512


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10_000_000)
    parser.add_argument("--templates", type=int, default=TEMPLATES)
    options = parser.parse_args()
    random = np.random.default_rng(0)
    # First, because the peak of a process only rises.
    _templates(options.templates, random)
    genuine = random.random(options.pairs) < 0.05
    similarity = random.normal(2.0 * genuine, 1).astype(np.float32)
    quality = (similarity * genuine + random.normal(0, 2, options.pairs)).astype(np.float32)
    seconds, found = _cpu(lambda: edc(similarity, genuine, quality, FMR, 0.95).pauc)
    tracemalloc.start()
    edc(similarity, genuine, quality, FMR)
    peak = tracemalloc.get_traced_memory()[1] / options.pairs
    tracemalloc.stop()
    weights = np.ones(options.pairs)
    # To the end of the curve, as `edc` goes; the area is compared at the same limit.
    sorting, expected = _cpu(
        lambda: WeightedPairs(similarity, genuine, quality).pauc(FMR, 0.95, "leaderboard", weights)
    )
    print(f"{options.pairs:,} pairs, leaderboard, FMR {FMR:g}: {seconds:.2f} CPU-s; sorting all {sorting:.2f} CPU-s")
    print(f"  ratio {sorting / seconds:.1f}, bar {RATIO_BAR:g}: {_met(sorting / seconds >= RATIO_BAR)}")
    print(f"  peak above the inputs {peak:.0f} bytes a pair, bar {BYTES_BAR}: {_met(peak <= BYTES_BAR)}")
    if abs(found - expected) > 1e-12:
        sys.exit(f"WRONG: pAUC {found} and {expected}")


def _templates(count: int, random: np.random.Generator) -> None:
    pairs = TEMPLATE_PAIRS * count**2 // TEMPLATES**2
    vectors = random.normal(size=(count, WIDTH)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second = (random.integers(0, count, pairs) for _ in range(2))
    table = PairTable(first, second, np.zeros(pairs, bool))
    seconds, found = _cpu(lambda: pair_similarity(vectors, table))
    # Before the reference, which gathers a million rows twice.
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    part = slice(0, 1_000_000)
    alone, wanted = _cpu(lambda: np.einsum("nd,nd->n", vectors[first[part]], vectors[second[part]]))
    np.testing.assert_allclose(found[part], wanted, atol=1e-5)
    alone *= pairs / len(wanted)
    print(f"{pairs:,} pairs of {count:,} templates: {seconds:.1f} CPU-s; one pair at a time {alone:.1f} CPU-s")
    print(
        f"  ratio {alone / seconds:.1f}; peak of the process {most:.1f} GB, bar {IJBC_GB_BAR:g}: "
        f"{_met(most <= IJBC_GB_BAR)}"
    )


def _cpu[T](work: Callable[[], T]) -> tuple[float, T]:
    begun = time.process_time()
    found = work()
    return time.process_time() - begun, found


def _met(met: bool) -> str:
    return "met" if met else "MISSED"


if __name__ == "__main__":
    main()
