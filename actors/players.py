"""Loads the models of a run as the objects that play their roles. Heavy imports stay inside the functions."""

from typing import TYPE_CHECKING, Any

from synfiqa.actors.device import worker_device
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.roles import (
    ConditionalGenerator,
    Detector,
    Embedder,
    ExpressionMeter,
    GlassesMeter,
    IdentityGenerator,
    ImageText,
    PoseMeter,
)
from synfiqa.schemas.config.base import Precision

if TYPE_CHECKING:
    from synfiqa.actors.model_store.selection import RunModels


_players: dict[tuple[Any, ...], Any] = {}


def player(model: Model, precision: Precision = "float32", micro_batch: int = 8) -> Any:
    """Return the object that plays the model's role; one instance per process, shared by all its stages."""
    key = (*model.key, precision, micro_batch)
    if key not in _players:
        from synfiqa.actors.model_store.cache import locate
        from synfiqa.actors.model_store.checks.memory_check import require_room
        from synfiqa.actors.model_store.execution import Execution
        from synfiqa.actors.model_store.loading import play

        path, running = locate(model), Execution(worker_device(), precision, micro_batch)
        require_room(model.card, path, running)
        _players[key] = play(model.card, path, running)
    return _players[key]


class Players:
    """The players of one run's models in this process."""

    def __init__(self, models: "RunModels") -> None:
        self.models = models

    def of(self, model: Model) -> Any:
        """Return the player of a model, loaded in this process."""
        return player(model, self.models.precision, self.models.micro_batch)

    @property
    def identity_generator(self) -> IdentityGenerator:
        """Return the generator of pseudo-identities."""
        found: IdentityGenerator = self.of(self.models.identity_generator)
        return found

    @property
    def conditional_generator(self) -> ConditionalGenerator:
        """Return the generator of samples, where one model alone is it: by diffusion it is built from several."""
        found: ConditionalGenerator = self.of(self.models.conditional_generator)
        return found

    @property
    def detector(self) -> Detector:
        """Return the face detector."""
        found: Detector = self.of(self.models.detector)
        return found

    @property
    def pose(self) -> PoseMeter:
        """Return the head pose estimator."""
        found: PoseMeter = self.of(self.models.pose)
        return found

    @property
    def glasses(self) -> GlassesMeter:
        """Return the glasses classifier."""
        found: GlassesMeter = self.of(self.models.glasses)
        return found

    @property
    def expression(self) -> ExpressionMeter:
        """Return the estimator of expression strength."""
        found: ExpressionMeter = self.of(self.models.expression)
        return found

    @property
    def uniqueness(self) -> Embedder:
        """Return the embedder of the duplicate rule."""
        found: Embedder = self.of(self.models.uniqueness)
        return found

    @property
    def embedders(self) -> list[Embedder]:
        """Return the embedders of the label: `models.embedder` first, then those measured beside it."""
        return [self.of(model) for model in (self.models.embedder, *self.models.more_embedders)]

    @property
    def image_text(self) -> ImageText:
        """Return the image-text network."""
        found: ImageText = self.of(self.models.image_text)
        return found
