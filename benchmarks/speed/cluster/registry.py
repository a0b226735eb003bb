"""Measure the CPU time of the identity registry for one candidate, by three ways of searching accepted identities.

`OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 uv run python -m benchmarks.speed.cluster.registry` prints CPU-ms a candidate
at 10^4, 10^5 and 10^6 accepted identities of 128 and 512 dimensions, and ratios, all ways in alternating rounds of one
run: a product of matrix and vector for each candidate, float32 products of 64 candidates, and the prefilter of 8-bit
integers. `--quick` leaves out 10^6. Vectors are random: many are almost as near as the nearest. With more threads those
that wait for others count, too. Exit code 1 when two ways differ in a bit.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable

import numpy as np

from synfiqa.actors.stages.uniqueness.accepted import AT_ONCE, AcceptedIdentities
from synfiqa.actors.stages.uniqueness.int8 import int8_is_exact

SIZES, DIMENSIONS = (10_000, 100_000, 1_000_000), (128, 512)
GEMM_BAR, PREFILTER_BAR = 15.0, 5.0
"""CPU-ms a candidate at 10^6 identities of 512 dimensions."""
NEVER = 2**62
WAYS = {"GEMV": (NEVER, NEVER), "GEMM": (0, NEVER), "int8": (0, 0)}


def unit_vectors(count: int, dimensions: int, seed: int) -> np.ndarray:
    """Return random float32 unit vectors (N, D)."""
    random, vectors = np.random.default_rng(seed), np.empty((count, dimensions), np.float32)
    for start in range(0, count, 65_536):
        part = random.standard_normal((min(65_536, count - start), dimensions), dtype=np.float32)
        vectors[start : start + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return vectors


def cpu_ms[T](work: Callable[[], list[T]]) -> tuple[float, list[T]]:
    """Return the CPU-ms of all threads a result, and the results."""
    start = time.process_time()
    found = work()
    return 1000 * (time.process_time() - start) / len(found), found


def measure(count: int, dimensions: int, rounds: int) -> tuple[dict[str, float], bool]:
    """Return the least CPU-ms a candidate of each way over the rounds, and whether all gave the same bits."""
    rows, candidates = unit_vectors(count, dimensions, 0), list(unit_vectors(AT_ONCE, dimensions, 1))
    identities = AcceptedIdentities(count)
    identities.add(rows)
    del rows
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    same = True
    # The first round packs the rows, and does not count.
    for number in range(rounds + 1):
        found = {}
        for name, (identities.gemm_from, identities.int8_from) in WAYS.items():
            # A product a candidate takes long, and each takes the same time.
            some = candidates[:8] if name == "GEMV" else candidates
            taken, found[name] = cpu_ms(lambda some=some: list(identities.cosines(some)))  # type: ignore[misc]
            times[name] += [taken] if number else []
        same &= all(values[:8] == found["GEMV"] for values in found.values())
    return {name: min(taken) for name, taken in times.items()}, same


def main() -> None:
    """Measure every size and print ratios and bars."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without a million identities, which take some 5 GB")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"numpy {np.__version__}, {os.cpu_count()} cores, 8-bit products exact here: {int8_is_exact(512)}")
    print(f"{'identities':>10} {'D':>4} " + " ".join(f"{name + ' ms':>9}" for name in WAYS) + "  GEMV/GEMM  GEMM/int8")
    alike, last = True, {}
    for dimensions in DIMENSIONS:
        for count in SIZES[: 2 if options.quick else 3]:
            last, same = measure(count, dimensions, options.rounds)
            alike &= same
            shown = " ".join(f"{last[name]:>9.2f}" for name in WAYS)
            ratios = f"{last['GEMV'] / last['GEMM']:>10.1f} {last['GEMM'] / last['int8']:>10.2f}"
            print(f"{count:>10,} {dimensions:>4} {shown} {ratios}", flush=True)
    if not options.quick:
        for name, bar in (("GEMM", GEMM_BAR), ("int8", PREFILTER_BAR)):
            print(f"{name} at most {bar:g} CPU-ms a candidate: {'met' if last[name] <= bar else 'MISSED'}")
    print("the same bits by all ways" if alike else "the ways DIFFER")
    sys.exit(not alike)


if __name__ == "__main__":
    main()
