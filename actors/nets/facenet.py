"""FaceNet's Inception-ResNet v1 of facenet-pytorch, without its download of weights."""

from facenet_pytorch import InceptionResnetV1
from torch import nn


def facenet() -> nn.Module:
    """Return an untrained network that maps RGB faces (N, 3, 160, 160) to un-normalised embeddings (N, 512).

    Keys are those of `20180402-114759-vggface2.pt` and `20180408-102900-casia-webface.pt` without the
    classifier `logits.*` (8,631 and 10,575 people), which embeddings do not use.
    """
    # The package's forward divides by the norm unless it classifies; an identity as classifier keeps the norm.
    network: nn.Module = InceptionResnetV1(classify=True, num_classes=1)
    network.logits = nn.Identity()
    return network
