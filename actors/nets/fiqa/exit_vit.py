"""EX-FIQA (arXiv 2604.22842): the scores of a quality transformer after every block, not the last alone."""

import torch
from torch import Tensor

from synfiqa.actors.nets.fiqa.vit import FiqaViT


class ExitViT(FiqaViT):
    """ViT-FIQA's network and weights; the score is the mean over the exits, one after each block.

    At each exit the quality token passes the network's last normalisation and its one head.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return scores float32 (B,) of RGB faces (B, 3, 112, 112) in -1..1."""
        return self.exit_scores(x).mean(dim=1)

    def embed_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return un-normalised embeddings float32 (B, D) after the last block, and the mean scores float32 (B,)."""
        return super().embed_and_score(x)[0], self(x)

    def exit_scores(self, x: Tensor) -> Tensor:
        """Return the scores float32 (B, depth) after each block of RGB faces (B, 3, 112, 112) in -1..1."""
        tokens, found = self.input_tokens(x), []
        for block in self.blocks:
            tokens = block(tokens)
            with torch.autocast(x.device.type, enabled=False):
                found.append(self.head_qs(self.norm(tokens[:, 0].float())).float())
        return torch.cat(found, dim=1)
