"""The IResNet of InsightFace under its published tensor names; also the trunk of ArcFace, ElasticFace and CR-FIQA."""

from collections.abc import Sequence

from torch import Tensor, nn

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3)}
"""Depth -> residual blocks of each stage."""
WIDTHS = (64, 128, 256, 512)
"""Channels of each stage; the first block of every stage halves the side."""
EMBEDDING_DIM = 512
SE_REDUCTION = 16


class SqueezeExcitation(nn.Module):
    """Scales each channel by a factor 0..1 that two 1 x 1 convolutions compute from the channel means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // SE_REDUCTION, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // SE_REDUCTION, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        factor: Tensor = self.fc2(self.fc1(x.mean(dim=(2, 3), keepdim=True)).relu()).sigmoid()
        return x * factor


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions, the stride on the second; a strided shortcut is a 1 x 1 convolution of the raw input."""

    def __init__(self, inputs: int, outputs: int, stride: int, se: bool) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.se_block = SqueezeExcitation(outputs) if se else nn.Identity()
        strided = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.downsample = strided if stride != 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H/stride, W/stride)."""
        hidden = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        result: Tensor = self.se_block(self.bn3(self.conv2(hidden))) + self.downsample(x)
        return result


class IResNet(nn.Module):
    """IResNet-18, -34, -50 or -100, or the four block counts `layers`, for faces (N, 3, 112, 112).

    The last batch normalisation has a scale of its own in every checkpoint: InsightFace froze it at 1, others train it.
    No checkpoint holds the `eps` of its batch normalisations; MagFace's is 2e-5. `se` is off in all published ones,
    whose `widths` and `embedding_dim` are the defaults.
    """

    def __init__(
        self,
        depth: int = 50,
        layers: Sequence[int] | None = None,
        se: bool = False,
        dropout: float = 0.0,
        eps: float = 1e-5,
        widths: Sequence[int] = WIDTHS,
        embedding_dim: int = EMBEDDING_DIM,
    ) -> None:
        super().__init__()
        if layers is None and depth not in BLOCKS:
            raise ValueError(f"depth must be one of {', '.join(map(str, BLOCKS))}, not {depth}")
        counts = BLOCKS[depth] if layers is None else tuple(layers)
        if len(counts) != len(WIDTHS) or min(counts) < 1:
            raise ValueError(f"layers must be four block counts of at least 1, not {list(counts)}")
        if len(widths) != len(WIDTHS):
            raise ValueError(f"widths must be four channel counts, not {list(widths)}")
        first, last = widths[0], widths[-1]
        self.conv1 = nn.Conv2d(3, first, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        self.prelu = nn.PReLU(first)
        stages = [
            nn.Sequential(
                *(ResidualBlock(width if index else before, width, 1 if index else 2, se) for index in range(count))
            )
            for before, width, count in zip((first, *widths), widths, counts, strict=False)
        ]
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.bn2 = nn.BatchNorm2d(last)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(last * 7 * 7, embedding_dim)
        self.features = nn.BatchNorm1d(embedding_dim)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 3, 112, 112) to un-normalised embeddings (N, embedding_dim)."""
        return self.embed(self.feature_map(x))

    def feature_map(self, x: Tensor) -> Tensor:
        """Map (N, 3, 112, 112) to the output (N, widths[-1], 7, 7) of stage 4."""
        x = self.prelu(self.bn1(self.conv1(x)))
        features: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return features

    def embed(self, features: Tensor) -> Tensor:
        """Map the output of stage 4 to un-normalised embeddings (N, embedding_dim)."""
        embedding: Tensor = self.features(self.fc(self.dropout(self.bn2(features).flatten(1))))
        return embedding
