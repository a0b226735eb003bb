"""What the labels of a run are made from, by its config: the components of the samples, or the scores of a scorer."""

from dataclasses import dataclass

from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.fiqa_train.labels.by_scorer.named_scorer import NamedScorer
from synfiqa.fiqa_train.labels.by_scorer.score_rows import ScoreReading
from synfiqa.fiqa_train.labels.frozen_scale import Measured, frozen_scale, measured_by, measured_in
from synfiqa.fiqa_train.labels.match_threshold import match_threshold
from synfiqa.fiqa_train.labels.reading import Reading, ShardReading
from synfiqa.schemas.calibration import Scale, ScorerScale
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.manifest import RunManifest


@dataclass(frozen=True)
class LabelSource:
    """Networks that measured the run, and the scorer where labels are scores; no `manifest` before a run exists."""

    config: RunConfig
    measured: Measured
    scorer: NamedScorer | None
    manifest: RunManifest | None
    resolved: ResolvedRun | None

    def frozen(self) -> Scale | None:
        """Return the scale of `label.calibration`, None where none is named; UserError where it does not fit."""
        return frozen_scale(self.config.label, self.measured, self.scorer.unfitted if self.scorer else None)

    def threshold(self, frozen: Scale | None) -> float | None:
        """Return the match threshold of f_r, None for scores; UserError for auto without one on the card."""
        if self.scorer is not None:
            return None
        return match_threshold(self.config, self.measured.embedder, frozen, self.manifest, self.resolved)

    def require_ready(self) -> None:
        """Load the scorer; UserError where its weights are missing or its embedder lacks what it reads."""
        if self.scorer is not None:
            self.scorer.load()

    def reading(self, manifest: RunManifest) -> ShardReading:
        """Return what is read of the shards of a run."""
        if self.scorer is not None:
            return ScoreReading(self.scorer)
        return Reading.of(self.config.label, self.measured, manifest)

    @property
    def scorer_title(self) -> str:
        """Return the scorer for a message, or none."""
        return scorer_title(self.scorer.unfitted if self.scorer else None)


def label_source(config: RunConfig, manifest: RunManifest, resolved: ResolvedRun | None = None) -> LabelSource:
    """Return the source of the labels of an existing run; UserError for an embedder or scorer that cannot be had."""
    measured = measured_in(config.label, manifest)
    scorer = NamedScorer.of(config, str(manifest.recipe["models"]["embedder"]), resolved)
    return LabelSource(config, measured, scorer, manifest, resolved)


def planned_source(config: RunConfig, resolved: ResolvedRun) -> LabelSource:
    """Return the source of the labels of the run that a config will make."""
    scorer = NamedScorer.of(config, config.models.embedder, resolved)
    return LabelSource(config, measured_by(config), scorer, None, resolved)


def scorer_title(scorer: ScorerScale | None) -> str:
    """Return name and digest of the scorer of a scale for a message, or none."""
    return "none" if scorer is None else scorer.title
