"""Simulate the share of time that workers of the slowest stage are at work, against the units per execution.

`python -m benchmarks.speed.cluster.windows` compares windows of 1,000 units, those of
`synfiqa.cluster.pipeline.stream`, and one execution for all, for shards of half an hour. Each execution starts its
workers anew and ends with its slowest unit.
"""

import argparse
import heapq
import random

from synfiqa.cluster.pipeline.stream import LONGEST_WINDOW, ROUNDS, WINDOW

BAR = 0.96


def busy_share(workers: int, units: int, window: int, seconds: float, spread: float, start: float) -> float:
    """Return the share of worker time spent on units of about `seconds`, log-normal with the deviation `spread`."""
    dice = random.Random(0)
    clock, worked, left = 0.0, 0.0, units
    while left:
        count = min(window, left)
        left -= count
        free = [clock + start] * workers
        ends = clock
        for _ in range(count):
            lasts = seconds * dice.lognormvariate(0, spread)
            worked += lasts
            end = heapq.heappop(free) + lasts
            heapq.heappush(free, end)
            ends = max(ends, end)
        clock = ends
    return worked / (workers * clock)


def main() -> int:
    """Print a line for each number of workers; exit code 1 when 512 workers miss the bar."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--units", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=29 * 60)
    parser.add_argument("--spread", type=float, default=0.15)
    parser.add_argument("--start", type=float, default=90)
    options = parser.parse_args()
    missed = False
    for workers in (64, 256, 512, 800):
        windows = (WINDOW, min(LONGEST_WINDOW, max(WINDOW, ROUNDS * workers)), options.units)
        shares = [
            busy_share(workers, options.units, window, options.seconds, options.spread, options.start)
            for window in windows
        ]
        shown = ", ".join(f"{share:.3f} in windows of {size:,}" for share, size in zip(shares, windows, strict=True))
        print(f"{workers} workers: busy {shown}")
        missed |= workers == 512 and shares[1] < BAR
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
