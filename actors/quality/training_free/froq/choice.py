"""Chooses the modules whose norms rank calibration images as their pseudo-labels do (FROQ's search)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import rankdata

from synfiqa.actors.quality.correlation import spearman

Mode = Literal["improved", "released"]
"""`released`: raw norms of positively correlated modules, containers kept, as the authors' code has it. `improved`:
z-normalised norms, modules of either sign, no module whose output is that of another."""
CANDIDATES = 10
"""Modules of the highest correlation among which the search takes its prefix."""


@dataclass(frozen=True)
class Chosen:
    """A chosen module: name, Spearman's rho of its norm with the label, mean and deviation of the norm, sign."""

    name: str
    rho: float
    mean: float
    std: float
    sign: int

    def read(self, norms: np.ndarray, mode: Mode) -> np.ndarray:
        """Return what the module adds to a mean: the norms (N,), or sign (norm - mean) / deviation."""
        return norms if mode == "released" else self.sign * (norms - self.mean) / self.std


def choose(
    norms: Mapping[str, np.ndarray],
    labels: np.ndarray,
    mode: Mode,
    leaves: frozenset[str],
    candidates: int = CANDIDATES,
) -> tuple[list[Chosen], list[float]]:
    """Return the chosen modules in order of the search, and rho of the mean after each addition (Babnik et al. 2025).

    The `candidates` modules of the highest rho (|rho| in mode `improved`) enter greedily, each time the one that raises
    rho between the mean over the modules and the labels most; the prefix of the highest rho is chosen. `norms` are
    (N,) by name, `leaves` the modules without children. Constant modules are no candidates; the result is empty where
    all are, or where all labels are equal.
    """
    varied = {name: values for name, values in norms.items() if not constant(values)}
    if not varied or constant(labels):
        return [], []
    kept = varied if mode == "released" else without_duplicates(varied, leaves)
    measured = [
        _measured(name, kept[name], rho) for name, rho in zip(kept, rhos(list(kept.values()), labels), strict=True)
    ]
    worth = [abs(module.rho) if mode == "improved" else module.rho for module in measured]
    order = np.argsort(-np.array(worth), kind="stable")[:candidates]
    rest = [measured[index] for index in order]
    chosen, trace, total = [rest.pop(0)], [], np.zeros(len(labels))
    total += chosen[0].read(kept[chosen[0].name], mode)
    trace.append(spearman(total, labels))
    while rest:
        sums = [total + module.read(kept[module.name], mode) for module in rest]
        # The mean and the sum over modules have the same ranks.
        gains = rhos([values / (len(chosen) + 1) for values in sums], labels)
        best = int(np.argmax(gains))
        total = sums[best]
        chosen.append(rest.pop(best))
        trace.append(float(gains[best]))
    return chosen[: int(np.argmax(trace)) + 1], trace


def constant(values: np.ndarray) -> bool:
    """Return whether values (N,) differ by no more than the rounding of float32."""
    return bool(np.ptp(values) <= 1e-6 * np.abs(values).max())


def without_duplicates(norms: Mapping[str, np.ndarray], leaves: frozenset[str]) -> dict[str, np.ndarray]:
    """Return the norms without modules whose norms are another's on every image, such as containers of one output.

    Of equal ones the first leaf stays, or the innermost container where none is a leaf.
    """
    groups: dict[bytes, list[str]] = {}
    for name, values in norms.items():
        groups.setdefault(values.tobytes(), []).append(name)
    stay = {next((name for name in names if name in leaves), names[-1]) for names in groups.values()}
    return {name: values for name, values in norms.items() if name in stay}


def rhos(rows: list[np.ndarray], labels: np.ndarray) -> np.ndarray:
    """Return Spearman's rho (M,) of each row (N,) with the labels (N,); 0 for a constant row."""
    ranks = rankdata(np.stack(rows), axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    target = rankdata(labels)
    target -= target.mean()
    spread = np.sqrt((ranks**2).sum(axis=1) * (target**2).sum())
    return np.divide(ranks @ target, spread, out=np.zeros(len(ranks)), where=spread > 0)


def _measured(name: str, values: np.ndarray, rho: float) -> Chosen:
    return Chosen(name, float(rho), float(values.mean()), float(values.std()), 1 if rho >= 0 else -1)
