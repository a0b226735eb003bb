"""The IR recognition networks of AdaFace under the tensor names of its published checkpoints (18, 50, 101)."""

from torch import Tensor, nn

BLOCKS = {18: (2, 2, 2, 2), 50: (3, 4, 14, 3), 101: (3, 13, 30, 3)}
"""Depth -> residual blocks of each stage."""
WIDTHS = (64, 128, 256, 512)
"""Channels of each stage; the first block of every stage halves the side."""


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions, the stride on the second; at equal widths the shortcut only subsamples.

    `between` states whether a batch normalisation stands between the convolutions: it does in AdaFace, not in SDD-FIQA.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, *, between: bool = True) -> None:
        super().__init__()
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            *((nn.BatchNorm2d(outputs),) if between else ()),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        if inputs != outputs:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H/stride, W/stride)."""
        result: Tensor = self.res_layer(x) + self.shortcut_layer(x)
        return result


class AdaFaceIR(nn.Module):
    """IR-18, IR-50 or IR-101 for BGR faces (N, 3, 112, 112) in -1..1.

    Unlike the published code, which returns the unit vector and the norm, this returns the raw embedding: its norm is
    AdaFace's image-quality proxy, its direction the identity.
    """

    def __init__(self, depth: int = 18, dropout: float = 0.4) -> None:
        super().__init__()
        if depth not in BLOCKS:
            raise ValueError(f"depth must be one of {', '.join(map(str, BLOCKS))}, not {depth}")
        first, last = WIDTHS[0], WIDTHS[-1]
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, first, 3, 1, 1, bias=False), nn.BatchNorm2d(first), nn.PReLU(first)
        )
        blocks, channels = [], first
        for width, count in zip(WIDTHS, BLOCKS[depth], strict=True):
            for index in range(count):
                blocks.append(ResidualBlock(channels, width, 1 if index else 2))
                channels = width
        self.body = nn.Sequential(*blocks)
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(last),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(last * 7 * 7, 512),
            nn.BatchNorm1d(512, affine=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 3, 112, 112) to un-normalised embeddings (N, 512)."""
        embedding: Tensor = self.output_layer(self.body(self.input_layer(x)))
        return embedding
