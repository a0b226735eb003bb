"""Follows faces through the frames of a video, by overlap of boxes and by recognition."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from synfiqa.actors.face_analysis.box_overlap import box_overlap
from synfiqa.fiqa_train.scoring.photographs import Score

OVERLAP = 0.3
"""Least intersection over union of boxes in frames near each other by which they may show one person."""
NEAR_S = 1.0
"""Seconds within which boxes are compared."""
LIKE = 0.2
"""Least cosine of faces whose boxes overlap: another person may appear at the same place after a cut."""
APART_S = 0.5
"""Seconds between two best shots of a person at least, so that they are not one moment twice."""


@dataclass(frozen=True)
class Shot:
    """A face at a time in seconds."""

    time: float
    found: Score


@dataclass
class Track:
    """The shots of one person, and what the next one is compared with."""

    number: int
    shots: list[Shot] = field(default_factory=list)
    total: np.ndarray | None = None

    def likeness(self, shot: Shot, vector: np.ndarray, same: float) -> float | None:
        """Return cosine plus overlap where a face may be this person's, else None.

        From the cosine `same` on a recogniser takes two faces for one person; below it boxes must overlap.
        """
        assert self.total is not None
        cosine = float(self.total @ vector / max(float(np.linalg.norm(self.total)), 1e-12))
        last = self.shots[-1]
        overlap = _overlap(last.found, shot.found) if shot.time - last.time <= NEAR_S else 0.0
        fits = cosine >= same or (overlap >= OVERLAP and cosine >= LIKE)
        return cosine + overlap if fits else None

    def add(self, shot: Shot, vector: np.ndarray) -> None:
        """Append a shot with the unit vector of its face."""
        self.shots.append(shot)
        self.total = vector.astype(np.float64) if self.total is None else self.total + vector

    def best(self, count: int) -> list[Shot]:
        """Return so many shots at most with the highest scores, the highest first, `APART_S` from each other."""
        chosen: list[Shot] = []
        scored = [shot for shot in self.shots if shot.found.score is not None]
        for shot in sorted(scored, key=lambda shot: (-(shot.found.score or 0.0), shot.time)):
            if len(chosen) == count:
                break
            if all(abs(shot.time - other.time) >= APART_S for other in chosen):
                chosen.append(shot)
        return chosen


class Tracker:
    """Assigns the faces of frames, given in order of time, to persons."""

    def __init__(self, same: float) -> None:
        """Take the cosine from which two faces are one person's."""
        self._same = same
        self.tracks: list[Track] = []

    def add(self, shots: Sequence[Shot], vectors: np.ndarray) -> None:
        """Assign the faces of one frame with their unit vectors (N, D): most alike first, each person once."""
        pairs = [
            (likeness, row, track)
            for row, shot in enumerate(shots)
            for track in self.tracks
            if (likeness := track.likeness(shot, vectors[row], self._same)) is not None
        ]
        open_rows, taken = set(range(len(shots))), set()
        for _, row, track in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2].number)):
            if row in open_rows and track.number not in taken:
                open_rows.remove(row)
                taken.add(track.number)
                track.add(shots[row], vectors[row])
        for row in sorted(open_rows):
            track = Track(len(self.tracks) + 1)
            track.add(shots[row], vectors[row])
            self.tracks.append(track)


def _overlap(one: Score, other: Score) -> float:
    """Return the intersection over union of the boxes of two faces, 0 where one has none."""
    if one.box is None or other.box is None:
        return 0.0
    return float(box_overlap(np.array(one.box), np.array([other.box]))[0])
