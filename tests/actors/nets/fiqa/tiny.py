"""Every trainable network at a size of a few thousand parameters, with weights in which all layers matter."""

from typing import Any

from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.actors.nets.fiqa.contract import FiqaNetwork
from synfiqa.actors.nets.fiqa.table import TRAINABLE
from synfiqa.schemas.model_card import ModelCard
from tests.actors.nets.fiqa.dsl.tiny_dsl import TINY as SMALL_DSL

SMALL_IRESNET: dict[str, Any] = {"layers": [1, 2, 1, 1], "widths": [8, 8, 8, 16], "embedding_dim": 12}
SMALL_VIT: dict[str, Any] = {"patch": 28, "width": 64, "depth": 2, "heads": 1, "embedding_dim": 8}
TINY: dict[str, dict[str, Any]] = {
    "quality-net": {"widths": [8, 8, 8, 8], "blocks": [1, 1, 1, 1]},
    "compact": {"widths": [8, 8, 8, 8], "blocks": [1, 1, 1, 1], "embedding_dim": 6},
    "compact-standard": {"widths": [8, 8, 8, 8], "blocks": [1, 1, 1, 1], "embedding_dim": 6},
    "compact-vit": {**SMALL_VIT, "pooling": "mean"},
    "mobilefacenet": {
        "rows": [[2, 8, 2, 2], [2, 8, 1, 2], [2, 8, 1, 2]],
        "stem": 8,
        "last": 16,
        "embedding_dim": 6,
    },
    **{f"iresnet{depth}": SMALL_IRESNET for depth in (18, 34, 50, 100)},
    "vit-s": SMALL_VIT,
    **dict.fromkeys(("dsl", "dsl-compact"), SMALL_DSL),
}


def tiny(name: str, seed: int = 0, **overrides: Any) -> FiqaNetwork:
    """Return the network of a name in the table, small, in evaluation mode."""
    network = TRAINABLE[name].build(**{**TINY[name], **overrides})
    network.load_state_dict(random_state(network, seed, gain=1.0))
    return network.eval()


def card_of(name: str, network: FiqaNetwork, **fields: Any) -> ModelCard:
    """Return the card of a network of a name in the table."""
    described: dict[str, Any] = {
        "name": "mine",
        "role": "quality",
        "arguments": network.arguments,
        "sha256": "0" * 64,
        "output": "score",
        "higher_is_better": True,
        "licence": "MIT",
        "commercial_use": True,
        **TRAINABLE[name].card_fields(),
    }
    return ModelCard(**{**described, **fields})
