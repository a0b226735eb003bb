"""What the labels of a run are made from, by its config: the components of the samples, or the scores of a scorer."""

from collections.abc import Callable
from dataclasses import dataclass

from synfiqa.actors.model_store.cache import digest_of
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.storage.storage import redact
from synfiqa.fiqa_train.labels.by_scorer.named_scorer import NamedScorer
from synfiqa.fiqa_train.labels.by_scorer.score_rows import ScoreReading
from synfiqa.fiqa_train.labels.centred.centred_reading import CentredReading
from synfiqa.fiqa_train.labels.centred.shard_vectors import (
    ShardVectors,
    labelling_embedder,
    require_embedder,
    require_weights,
)
from synfiqa.fiqa_train.labels.reading import Reading, ShardReading
from synfiqa.fiqa_train.labels.scales.frozen_scale import Measured, frozen_scale, measured_by, measured_in
from synfiqa.fiqa_train.labels.scales.match_threshold import match_threshold
from synfiqa.schemas.calibration import CentredSpace, Scale, ScorerScale
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.manifest import RunManifest


@dataclass(frozen=True)
class LabelSource:
    """Networks that measured the run, and the scorer where labels are scores; no `manifest` before a run exists.

    `embedder` is that of centred labels, None for other forms.
    """

    config: RunConfig
    measured: Measured
    scorer: NamedScorer | None
    embedder: Model | None
    manifest: RunManifest | None
    resolved: ResolvedRun | None

    def frozen(self) -> Scale | None:
        """Return the scale of `label.calibration`, None where none is named; UserError where it does not fit."""
        section = self.config.label
        scale = frozen_scale(section, self.measured, self.scorer.unfitted if self.scorer else None)
        if scale is not None and scale.centred is not None and self.embedder is not None:
            require_weights(self.embedder, scale.centred, f"label.calibration {redact(section.calibration)}")
        return scale

    def threshold(self, frozen: Scale | None) -> float | None:
        """Return the match threshold, None where f_r is not fused; UserError for auto without one on the card."""
        if self.scorer is not None or self.embedder is not None:
            return None
        return match_threshold(self.config, self.measured.embedder, frozen, self.manifest, self.resolved)

    def require_ready(self) -> None:
        """Load the scorer; UserError where its weights are missing or its embedder lacks what it reads.

        Of centred labels the weights of the embedder are verified.
        """
        if self.scorer is not None:
            self.scorer.load()
        if self.embedder is not None:
            require_embedder(self.embedder)

    def vectors(self, store: ShardStore, before_write: Callable[[], None]) -> ShardVectors | None:
        """Return the vectors of the shards of a run, of which centred labels are made; None for other forms."""
        return None if self.embedder is None else ShardVectors(store, self.embedder, before_write)

    def reading(
        self, manifest: RunManifest, vectors: ShardVectors | None = None, space: CentredSpace | None = None
    ) -> ShardReading:
        """Return what is read of the shards of a run; centred labels need vectors and their space."""
        if self.scorer is not None:
            return ScoreReading(self.scorer)
        if vectors is not None and space is not None:
            return CentredReading(vectors, space, self.measured.factors)
        return Reading.of(self.config.label, self.measured, manifest)

    @property
    def weights(self) -> str:
        """Return the digest of the embedder of centred labels, or none."""
        return "none" if self.embedder is None else digest_of(self.embedder)

    @property
    def scorer_title(self) -> str:
        """Return the scorer for a message, or none."""
        return scorer_title(self.scorer.unfitted if self.scorer else None)


def label_source(config: RunConfig, manifest: RunManifest, resolved: ResolvedRun | None = None) -> LabelSource:
    """Return the source of the labels of an existing run; UserError for an embedder or scorer that cannot be had."""
    measured = measured_in(config.label, manifest)
    scorer = NamedScorer.of(config, str(manifest.recipe["models"]["embedder"]), resolved)
    embedder = labelling_embedder(config, measured.embedder, resolved)
    return LabelSource(config, measured, scorer, embedder, manifest, resolved)


def planned_source(config: RunConfig, resolved: ResolvedRun) -> LabelSource:
    """Return the source of the labels of the run that a config will make."""
    scorer = NamedScorer.of(config, config.models.embedder, resolved)
    measured = measured_by(config)
    embedder = labelling_embedder(config, measured.embedder, resolved)
    return LabelSource(config, measured, scorer, embedder, None, resolved)


def scorer_title(scorer: ScorerScale | None) -> str:
    """Return name and digest of the scorer of a scale for a message, or none."""
    return "none" if scorer is None else scorer.title
