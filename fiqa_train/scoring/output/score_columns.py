"""Columns of a file of scores: one row a face; the first scorer has the plain columns, others have their own."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from synfiqa.fiqa_train.scoring.output.scorer_column import ScorerColumn
from synfiqa.fiqa_train.scoring.photo_list import printable
from synfiqa.fiqa_train.scoring.photographs import Score

type Row = dict[str, str | float | int | None]

NOT_FINITE = "is not a finite number"
"""End of the reason of a face whose score is NaN or infinite."""

_PLACE = {
    "path": pa.string(),
    "face": pa.int32(),
    "faces": pa.int32(),
}
_SHOT = {"track": pa.int32(), "rank": pa.int32(), "time": pa.float64()}
"""Of the best shots of videos, after the path: track, rank in it from 1, seconds from the begin."""
_VALUES = {"score": pa.float64(), "percentile": pa.float64(), "scalar": pa.float64()}
_FACE = {
    **dict.fromkeys(("x0", "y0", "x1", "y1"), pa.float64()),
    "detection": pa.float64(),
    "search_size": pa.int32(),
    "reason": pa.string(),
}


def score_schema(scorers: Sequence[ScorerColumn], *, shots: bool = False) -> pa.Schema:
    """Return names and types of the columns, in order; `shots` for the best shots of videos."""
    first = {**_PLACE, **(_SHOT if shots else {}), **_VALUES, **_FACE, "model": pa.string(), "digest": pa.string()}
    others = {
        f"{column}:{scorer.name}": kind
        for scorer in scorers[1:]
        for column, kind in (*_VALUES.items(), ("digest", pa.string()))
    }
    return pa.schema(list((first | others).items()))


def row_of(found: Score, scorers: Sequence[ScorerColumn], shot: Mapping[str, float | int] | None = None) -> Row:
    """Return the row of a face, or of a photograph without one; a score that is not finite becomes a reason.

    `shot` holds track, rank and time of a best shot of a video.
    """
    found = finite(found)
    face = {"face": found.face if found.faces else None, "faces": found.faces}
    box = found.box or (None,) * 4
    row: Row = {"path": printable(found.path), **face, **(shot or {})}
    first, *others = scorers
    row |= dict(zip(_VALUES, first.values(found.scores.get(first.name)), strict=True))
    row |= {name: None if value is None else round(value, 1) for name, value in zip(_FACE, box, strict=False)}
    row["detection"] = None if found.detection is None else round(found.detection, 4)
    row["search_size"] = found.search_size
    row["reason"] = printable(found.reason)
    row |= {"model": first.name, "digest": first.digest}
    for scorer in others:
        values = zip(_VALUES, scorer.values(found.scores.get(scorer.name)), strict=True)
        row |= {f"{column}:{scorer.name}": value for column, value in values}
        row[f"digest:{scorer.name}"] = scorer.digest
    return row


def finite(found: Score) -> Score:
    """Return a score with what is NaN or infinite left out, and named in its reason."""
    broken = [name for name, value in found.scores.items() if not math.isfinite(value)]
    if not broken:
        return found
    reasons = [*([found.reason] if found.reason else []), *(f"the score by {name} {NOT_FINITE}" for name in broken)]
    scores = {name: value for name, value in found.scores.items() if name not in broken}
    return replace(found, scores=scores, reason="; ".join(reasons))
