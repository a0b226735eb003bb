"""The trainable networks of face image quality by name, with the input that each is trained on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

from synfiqa.actors.nets.fiqa.compact import CompactNet
from synfiqa.actors.nets.fiqa.contract import FiqaNetwork
from synfiqa.actors.nets.fiqa.iresnet import FiqaIResNet
from synfiqa.actors.nets.fiqa.mobilefacenet import MobileFaceNet
from synfiqa.actors.nets.fiqa.vit import FiqaViT
from synfiqa.actors.nets.quality_net import ARCHITECTURE, QualityNet
from synfiqa.schemas.model_card import Normalise

INPUT_SIZE = 112
DSL_SIZES = {"dsl": 384, "dsl-compact": 128}
"""Sides of the crops that the networks of DSL-FIQA read."""


@dataclass(frozen=True)
class TrainableNetwork:
    """How a network is built, and the input that its card states.

    `architecture` is its key in `synfiqa.actors.model_store.architectures`, `arguments` the defaults of `network`.
    `value_range` None means that the network standardises each face itself.
    """

    architecture: str
    network: Callable[..., FiqaNetwork]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    channels: Literal["gray", "rgb"] = "rgb"
    value_range: tuple[float, float] | None = (-1.0, 1.0)
    input_size: int = INPUT_SIZE

    @property
    def normalisation(self) -> Normalise:
        """Return the field `normalise` of a card: `range`, or `per-image` where the network standardises."""
        return "per-image" if self.value_range is None else "range"

    def build(self, **overrides: Any) -> FiqaNetwork:
        """Return the untrained network with its default arguments, or `overrides` in their place."""
        return self.network(**{**self.arguments, **overrides})

    def normalise(self, pixels: Tensor) -> Tensor:
        """Map float pixels in 0..255, luma (B, H, W) or RGB (B, 3, H, W), to the input of the network."""
        if self.value_range is None:
            return pixels
        low, high = self.value_range
        return pixels * ((high - low) / 255) + low

    def card_fields(self) -> dict[str, Any]:
        """Return architecture and input as fields of a model card."""
        return {
            "architecture": self.architecture,
            "input_size": self.input_size,
            "channels": self.channels,
            "value_range": self.value_range,
            "normalise": self.normalisation,
        }


def _dsl(compact: bool = False, **arguments: Any) -> FiqaNetwork:
    # timm, which takes seconds to import, is for these networks alone.
    from synfiqa.actors.nets.fiqa.dsl.dsl_network import COMPACT, DslNetwork

    return DslNetwork(**{**(COMPACT if compact else {}), **arguments})


def _iresnet(depth: int) -> TrainableNetwork:
    return TrainableNetwork("fiqa-iresnet", FiqaIResNet, {"depth": depth})


TRAINABLE: dict[str, TrainableNetwork] = {
    "quality-net": TrainableNetwork(
        ARCHITECTURE, QualityNet, {"widths": [32, 64, 128, 192]}, channels="gray", value_range=None
    ),
    "compact": TrainableNetwork("fiqa-compact", CompactNet),
    "compact-standard": TrainableNetwork("fiqa-compact", CompactNet, {"blocks": [1, 2, 1, 1], "standardised": True}),
    "compact-vit": TrainableNetwork(
        "fiqa-vit",
        FiqaViT,
        {
            "patch": 14,
            "width": 192,
            "depth": 4,
            "heads": 3,
            "mlp_ratio": 3,
            "embedding_dim": 128,
            "pooling": "mean",
            "drop_path": 0.0,
        },
    ),
    "mobilefacenet": TrainableNetwork("fiqa-mobilefacenet", MobileFaceNet),
    "iresnet18": _iresnet(18),
    "iresnet34": _iresnet(34),
    "iresnet50": _iresnet(50),
    "iresnet100": _iresnet(100),
    "vit-s": TrainableNetwork("fiqa-vit", FiqaViT),
    "dsl": TrainableNetwork("dsl-fiqa", _dsl, input_size=DSL_SIZES["dsl"]),
    "dsl-compact": TrainableNetwork("dsl-fiqa", _dsl, {"compact": True}, input_size=DSL_SIZES["dsl-compact"]),
}
"""Networks by the value of the config key `train.network`."""
