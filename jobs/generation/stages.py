"""Selects the stages of the two halves of a generate job; tests and benchmarks substitute their own."""

from collections.abc import Callable
from dataclasses import dataclass

from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.actors.stages.annotator import AnnotatorStage
from synfiqa.actors.stages.conditional_generator import ConditionalGeneratorStage
from synfiqa.actors.stages.identity_filter import IdentityFilterStage
from synfiqa.actors.stages.identity_generator import IdentityGeneratorStage
from synfiqa.cluster.pipeline.stage import Stage

Factory = Callable[[ResolvedRun], list[Stage]]


def _identity_stages(run: ResolvedRun) -> list[Stage]:
    return [IdentityGeneratorStage(run), IdentityFilterStage(run)]


def _sample_stages(run: ResolvedRun) -> list[Stage]:
    return [ConditionalGeneratorStage(run), AnnotatorStage(run)]


@dataclass(frozen=True)
class Stages:
    """The stages that turn a candidate plan into measured candidates, and accepted identities into samples.

    The reader before and the writer after the sample stages need the store, so the job adds them.
    """

    identities: Factory = _identity_stages
    samples: Factory = _sample_stages
