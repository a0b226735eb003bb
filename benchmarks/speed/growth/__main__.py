"""Measure how CPU seconds and memory of every job grow with the number of samples, without models and Ray.

`uv run python -m benchmarks.speed.growth` prints them for 10,000 and 100,000 samples (jobs on indexes also 1,000,000),
start-up subtracted, with the exponent between the two largest sizes; `--quick` takes a tenth. The last line is the
verdict: exit code 1 when an exponent is above 1.1.
"""

import argparse
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.speed.growth.arithmetic import Cost, exponent, verdict
from benchmarks.speed.growth.jobs import JOBS, Job, prepare
from benchmarks.speed.growth.ledger import BAR, LATENCY_S, candidates_per_second, requests_for_commits
from benchmarks.speed.growth.measure import cost_of, in_fork
from benchmarks.speed.growth.synthetic_run import SyntheticRun, is_made, synthetic_run

SIZES, INDEX_SIZE = (10_000, 100_000), 1_000_000
TINY = 200
PER_SHARD, WIDE = 5, 250
"""Identities a shard: of most jobs, and of those that read no pictures."""


def run_of(folder: str, size: int, job: Job) -> SyntheticRun:
    """Return the run that a job of this size reads, after making it."""
    wide = job.wide or (job.index and size >= SIZES[-1])
    run = synthetic_run(f"{folder}/{'wide' if wide else 'run'}-{size}", size, WIDE if wide else PER_SHARD)
    if not is_made(run):
        in_fork(partial(prepare, run, job))
    return run


def measured(folder: str, size: int, job: Job) -> Cost:
    """Return the cost of a job on a run of this size."""
    tiny, run = run_of(folder, TINY, job), run_of(folder, size, job)

    def cost() -> tuple[float, float]:
        found = cost_of(partial(job.run, run), partial(job.run, tiny))
        return found.seconds, found.megabytes

    return Cost(*in_fork(cost))


def table(folder: str, sizes: tuple[int, ...], index_size: int, names: list[str]) -> dict[str, float]:
    """Print the costs of the jobs, and return their exponents."""
    every = (*sizes, index_size)
    print(f"{'job':<18}" + "".join(f"{size:>12,} samples" + " " * 7 for size in every) + "exponent")
    exponents = {}
    for name in names:
        job = JOBS[name]
        costs = {size: measured(folder, size, job) for size in (every if job.index else sizes)}
        exponents[name] = exponent({size: cost.seconds for size, cost in costs.items()})
        cells = (
            f"{costs[size].seconds:>9.2f} s {costs[size].megabytes:>9.1f} MB  " if size in costs else " " * 25
            for size in every
        )
        print(f"{name:<18}" + "".join(cells) + f"{exponents[name]:>8.2f}", flush=True)
    return exponents


def main() -> None:
    """Measure all jobs and judge their exponents."""
    parser = argparse.ArgumentParser(prog="benchmarks.speed.growth", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the samples")
    parser.add_argument("--job", action="append", choices=list(JOBS), help="only this job; may be repeated")
    parser.add_argument("--folder", type=Path, help="folder in which the runs are made, and removed")
    options = parser.parse_args()
    share = 10 if options.quick else 1
    with tempfile.TemporaryDirectory(prefix="synfiqa-bench-", dir=options.folder) as folder:
        sizes = tuple(size // share for size in SIZES)
        exponents = table(folder, sizes, INDEX_SIZE // share, options.job or list(JOBS))
    units = 640 // share
    single, grouped = (candidates_per_second(units, grouped=grouped) for grouped in (False, True))
    print(
        f"ledger commits at {1000 * LATENCY_S:g} ms a request: {single:,.0f} candidates/s one by one, "
        f"{grouped:,.0f} in groups, bar {BAR:,}: {'met' if grouped >= BAR else 'MISSED'}"
    )
    first, second = requests_for_commits(10_000 // share)
    print(f"requests for {10_000 // share + 1:,} commits: {first:,} by the first reader, {second:,} by the next")
    print(f"{os.cpu_count()} cores")
    line, met = verdict(exponents)
    print(line)
    sys.exit(not met)


if __name__ == "__main__":
    main()
