"""Arithmetic of growth: costs without start-up, exponents, and the verdict."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

BAR = 1.1
"""Largest exponent of CPU seconds in the number of samples."""
FLOOR_S = 0.3
"""CPU seconds below which a cost is noise: smaller ones count as much."""


@dataclass(frozen=True)
class Cost:
    """CPU seconds and megabytes of memory at the peak."""

    seconds: float
    megabytes: float

    def without(self, start_up: "Cost") -> "Cost":
        """Return this cost less that of a tiny run, never below zero."""
        return Cost(max(0.0, self.seconds - start_up.seconds), max(0.0, self.megabytes - start_up.megabytes))


def exponent(costs: Mapping[int, float], floor: float = FLOOR_S) -> float:
    """Return p of cost ~ size^p between the two largest sizes; ValueError with fewer than two."""
    if len(costs) < 2:
        raise ValueError("an exponent needs costs of two sizes")
    small, large = sorted(costs)[-2:]
    return math.log(max(costs[large], floor) / max(costs[small], floor)) / math.log(large / small)


def verdict(exponents: Mapping[str, float]) -> tuple[str, bool]:
    """Return the last line of the benchmark, and whether every exponent is within the bar."""
    above = {name: value for name, value in exponents.items() if value > BAR}
    if above:
        named = ", ".join(f"{name} {value:.2f}" for name, value in above.items())
        return f"exponent bar {BAR}: MISSED by {named}", False
    worst = max(exponents, key=exponents.__getitem__)
    return f"exponent bar {BAR}: met by all {len(exponents)} jobs, largest {exponents[worst]:.2f} ({worst})", True
