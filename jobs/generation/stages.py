"""Selects the stages of the two halves of a generate job; tests and benchmarks substitute their own."""

from collections.abc import Callable
from dataclasses import dataclass

from synfiqa.actors.stages.annotator import AnnotatorStage
from synfiqa.actors.stages.conditional_generator import ConditionalGeneratorStage
from synfiqa.actors.stages.identity_filter import IdentityFilterStage
from synfiqa.actors.stages.identity_generator import IdentityGeneratorStage
from synfiqa.cluster.pipeline.stage import Stage
from synfiqa.schemas.config.run import RunConfig

Factory = Callable[[RunConfig], list[Stage]]


def _identity_stages(config: RunConfig) -> list[Stage]:
    return [IdentityGeneratorStage(config), IdentityFilterStage(config)]


def _sample_stages(config: RunConfig) -> list[Stage]:
    return [ConditionalGeneratorStage(config), AnnotatorStage(config)]


@dataclass(frozen=True)
class Stages:
    """The stages that turn a candidate plan into measured candidates, and accepted identities into samples.

    The reader before and the writer after the sample stages need the store, so the job adds them.
    """

    identities: Factory = _identity_stages
    samples: Factory = _sample_stages
