"""Counts of outcomes, mean and deciles of scores, as rows come."""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from synfiqa.fiqa_train.scoring.output.score_columns import NOT_FINITE, Row
from synfiqa.fiqa_train.scoring.photographs import NO_FACE

SCORED = "scored"
FEWEST_FOR_DECILES = 10
"""Least number of scores whose deciles are printed; those of fewer are interpolated between single scores."""


@dataclass
class Tally:
    """Sums over the photographs of a call; `outcomes` counts faces, and photographs without one."""

    photographs: int = 0
    several: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    scores: array[float] = field(default_factory=lambda: array("d"))

    def add(self, rows: Sequence[Row]) -> None:
        """Count the rows of one photograph."""
        self.photographs += 1
        self.outcomes.update(map(outcome, rows))
        self.scores.extend(float(row["score"] or 0) for row in rows if row["score"] is not None)
        # Rows of a video count the faces of a frame each.
        self.several += any(int(row["faces"] or 0) > 1 for row in rows)

    @property
    def scored(self) -> int:
        """Number of faces with a score."""
        return len(self.scores)

    def lines(self, where: str, unit: str = "photographs") -> list[str]:
        """Return the table for a person: counts by outcome, mean and, of ten scores and more, deciles."""
        width = max((len(name) for name in self.outcomes), default=0)
        lines = [f"{_counted(self.photographs, unit)} in {where}:"]
        lines += [f"  {name:<{width}}  {count:>8}" for name, count in self.outcomes.most_common()]
        if self.scores:
            scores = np.frombuffer(self.scores)
            lines.append(f"  mean score   {scores.mean():.3f}")
            if len(scores) >= FEWEST_FOR_DECILES:
                deciles = " ".join(f"{value:.3f}" for value in np.quantile(scores, np.arange(1, 10) / 10))
                lines.append(f"  deciles 1-9  {deciles}")
        return lines

    def warning(self, *, all_faces: bool, which: str) -> str:
        """Return a sentence on photographs with several faces, of which one was scored; empty where there is none."""
        if not self.several or all_faces:
            return ""
        shown = f"{_counted(self.several, 'photographs')} {'shows' if self.several == 1 else 'show'}"
        return (
            f"{shown} several faces (column faces), and the {which} one was scored, which need "
            "not be the person meant: look at them, or pass --all-faces"
        )


def _counted(number: int, plural: str) -> str:
    return f"{number} {plural.removesuffix('s') if number == 1 else plural}"


def outcome(row: Row) -> str:
    """Return the outcome of a row: `scored`, or the reason in a few words."""
    if row["score"] is not None:
        return SCORED
    reason = str(row["reason"] or "")
    if NOT_FINITE in reason:
        return "without a finite score"
    if row["detection"] is not None:
        return "without alignment"
    return "without a face" if reason.startswith(NO_FACE) else "unreadable"
