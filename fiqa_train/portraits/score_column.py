"""The score of a run's portraits: likeness to the clean portrait, a label, or a scorer measured with the samples."""

from collections.abc import Sequence
from dataclasses import dataclass

from synfiqa.actors.quality.measures.portrait_measures import PORTRAIT_MEASURES
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.manifest import RunManifest
from synfiqa.schemas.rows import LABELS, SCORE_PREFIX

LABEL_COLUMNS = ("quality", "raw", "recognition", "spatial", "vision_language")
"""Columns of a label pass that may be scores; references have none."""


@dataclass(frozen=True)
class ScoreColumn:
    """Where a score comes from: a column of the labels, one of the samples, or neither for a measure."""

    name: str
    label: str = ""
    sample: str = ""

    @property
    def label_columns(self) -> tuple[str, ...]:
        """Return the columns of `LABELS` that are read."""
        return ("sample_id", self.label) if self.label else ()

    @property
    def description(self) -> str:
        """Return the score in words."""
        if self.label:
            return f"label `{self.label}`"
        return f"score of `{self.name}` on the aligned crop" if self.sample else PORTRAIT_MEASURES[self.name][1]


def score_column(name: str, manifest: RunManifest) -> ScoreColumn:
    """Return the score of this name in a run; UserError, with the choices, for one that the run does not have."""
    scorers: Sequence[str] = manifest.recipe["models"].get("scorers", ())
    if name in PORTRAIT_MEASURES:
        return ScoreColumn(name)
    if name in LABEL_COLUMNS:
        assert name in LABELS.names
        return ScoreColumn(name, label=name)
    if name in scorers:
        return ScoreColumn(name, sample=SCORE_PREFIX + name)
    raise UserError(
        f"{name} is no score of this run: choose one of {', '.join((*PORTRAIT_MEASURES, *LABEL_COLUMNS, *scorers))}, "
        "or name the scorer in models.scorers before generating"
    )
