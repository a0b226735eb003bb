"""DSL-FIQA in two stages: contrastive learning of the degradation encoder, then scores with the encoder frozen."""

from torch import Tensor, nn

from synfiqa.actors.nets.fiqa.dsl.dsl_network import DslNetwork
from synfiqa.fiqa_train.training.methods.contrastive import RepresentationQueue, dual_set_loss, info_nce
from synfiqa.fiqa_train.training.methods.objective import Normalise, Objective
from synfiqa.schemas.config.dsl_config import DslSection

EPSILON = 1e-3
"""Error at which the Charbonnier loss changes from square to linear."""


def charbonnier(scores: Tensor, labels: Tensor) -> Tensor:
    """Return the mean of sqrt(d^2 + EPSILON^2) over the errors d of scores (B,)."""
    return ((scores - labels).square() + EPSILON**2).sqrt().mean()


class DslFiqa(Objective):
    """The loss of the stage that an epoch belongs to; `at_epoch` sets it."""

    def __init__(self, network: nn.Module, normalise: Normalise, section: DslSection) -> None:
        super().__init__(network, normalise)
        assert isinstance(network, DslNetwork)
        self._section = section
        self._mean = section.representation == "mean"
        width = network.encoder.width
        self.beside["queue"] = RepresentationQueue(
            section.queue, width if self._mean else width * network.encoder.tokens
        )
        self.at_epoch(0)

    def at_epoch(self, epoch: int) -> None:
        """Train the encoder in the first epochs, and freeze it, its statistics too, afterwards."""
        self._dsl.frozen_encoder = epoch >= self._section.encoder_epochs
        self._dsl.train(self._dsl.training)

    def forward(
        self, pixels: Tensor, quality: Tensor, classes: Tensor, landmarks: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return `loss` of crops (B, 3, S, S) in 0..255: of sets in the first stage, else of scores against labels."""
        if self._dsl.frozen_encoder:
            return {"loss": charbonnier(self.scores(pixels, landmarks), quality)}
        found = self._dsl.encoder.represent(self._normalise(pixels), mean=self._mean).float()
        queue = self.beside["queue"]
        assert isinstance(queue, RepresentationQueue)
        queued = queue.entries()
        if self._section.contrast == "info_nce":
            first, second = found.chunk(2)
            loss, newest = info_nce(first, second, queued, self._section.temperature), second
        else:
            first, newest = found[classes == 0], found[classes == 1]
            loss = dual_set_loss(first, newest, queued, self._section.temperature, self._section.similarity)
        if self.training:
            queue.add(newest)
        return {"loss": loss}

    def scores(self, pixels: Tensor, landmarks: Tensor | None = None) -> Tensor:
        """Return scores float32 (B,) of crops in 0..255 and their landmarks (B, 68, 2)."""
        scores: Tensor = self._dsl(self._normalise(pixels), landmarks)
        return scores.float()

    @property
    def _dsl(self) -> DslNetwork:
        network = self.network
        assert isinstance(network, DslNetwork)
        return network
