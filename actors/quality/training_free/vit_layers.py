"""Finds the parts of a vision transformer that training-free scorers read."""

from dataclasses import dataclass

from torch import nn

from synfiqa.actors.nets.fiqa.vit import Attention, Block, FiqaViT
from synfiqa.actors.quality.training_free.recogniser import Recogniser
from synfiqa.schemas.errors import UserError


@dataclass(frozen=True)
class VitLayers:
    """Blocks in order, attention of the last one, and the normalisation after it."""

    blocks: list[Block]
    attention: Attention
    norm: nn.LayerNorm


def vit_layers(recogniser: Recogniser, scorer: str) -> VitLayers:
    """Return the layers of a recognition network; UserError for one that is no vision transformer of two blocks."""
    module = recogniser.module
    blocks = [block for block in module.blocks if isinstance(block, Block)] if isinstance(module, FiqaViT) else []
    if not isinstance(module, FiqaViT) or len(blocks) < 2:
        raise UserError(
            f"scorer '{scorer}' reads the tokens of a vision transformer and {recogniser.card.name} "
            f"({recogniser.card.architecture}) is none of two blocks; name a recogniser of architecture vit-recogniser "
            "as models.embedder, such as the weights of ViT-FIQA"
        )
    return VitLayers(blocks, blocks[-1].attn, module.norm)
