"""The vision transformer of ViT-FIQA as a recognition network: the same weights, embeddings instead of scores."""

from torch import Tensor

from synfiqa.actors.nets.fiqa.vit import FiqaViT


class VitRecogniser(FiqaViT):
    """ViT-S of ViT-FIQA, or a smaller one, that returns the embedding of its patch tokens."""

    def forward(self, x: Tensor) -> Tensor:
        """Map RGB faces (B, 3, 112, 112) in -1..1 to un-normalised embeddings float32 (B, D)."""
        return self.embed_and_score(x)[0]
