"""FaceNet's Inception-ResNet v1 as facenet-pytorch writes it, without that package's download."""

from facenet_pytorch import InceptionResnetV1
from torch import nn


def facenet() -> nn.Module:
    """Return an untrained network that maps RGB faces (N, 3, 160, 160) to un-normalised embeddings (N, 512).

    Keys are those of `20180402-114759-vggface2.pt` and `20180408-102900-casia-webface.pt` less the classifier
    `logits.*` (8,631 and 10,575 people), which plays no part in embeddings. The package's own forward divides by the
    norm unless it classifies: a classifier that changes nothing therefore leaves the norm reachable.
    """
    network: nn.Module = InceptionResnetV1(classify=True, num_classes=1)
    network.logits = nn.Identity()
    return network
