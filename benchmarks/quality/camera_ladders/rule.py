"""The rule of labels along ladders: a fault that ruins recognition halves the label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

RUINED, HALF = 0.1, 0.5


@dataclass(frozen=True)
class LadderFigures:
    """Means over people along a ladder, the photograph without faults first.

    `labels` and `found`, the share that the detector found, have one value a level; `accepted` holds true accept rates
    by judge.
    """

    name: str
    levels: Sequence[float]
    labels: Sequence[float]
    found: Sequence[float]
    accepted: Mapping[str, Sequence[float]]

    @property
    def kept(self) -> list[float]:
        """The share of the clean label that each level keeps."""
        return [label / self.labels[0] for label in self.labels]


def applies(figures: LadderFigures, judge: str) -> bool:
    """Return whether the judge accepts below a tenth of clean at the worst level."""
    accepted = figures.accepted[judge]
    return accepted[-1] < RUINED * accepted[0]


def breaks_rule(figures: LadderFigures, judge: str) -> bool:
    """Return whether the rule applies and the worst level keeps half of the clean label all the same."""
    return applies(figures, judge) and figures.kept[-1] >= HALF


def broken(ladders: Sequence[LadderFigures], judge: str) -> list[str]:
    """Return the names of the ladders whose worst level breaks the rule by a judge."""
    return [figures.name for figures in ladders if breaks_rule(figures, judge)]
