"""The degradation encoder of DSL-FIQA: six convolutions and a grid of tokens that condition the quality network."""

from collections.abc import Sequence

from torch import Tensor, nn

SLOPE = 0.1
"""Of the leaky rectifiers."""


class DegradationEncoder(nn.Module):
    """Maps images to degradation tokens; keys are those of the published `DE.pt`.

    Three pairs of 3 x 3 convolutions with `widths` channels, the second and third pair at half the resolution before,
    then the average over a grid of `grid` (rows, columns) cells. `mlp` maps tokens to the representation that the
    contrastive training compares; the quality network reads the tokens before it.
    """

    def __init__(self, widths: Sequence[int] = (64, 128, 256), grid: Sequence[int] = (8, 12)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for stage, width in enumerate(widths):
            for stride in (2 if stage else 1, 1):
                layers += [
                    nn.Conv2d(before, width, 3, stride, 1),
                    nn.BatchNorm2d(width),
                    nn.LeakyReLU(SLOPE, inplace=True),
                ]
                before = width
        self.E = nn.Sequential(*layers, nn.AdaptiveAvgPool2d((grid[0], grid[1])))
        self.mlp = nn.Sequential(
            nn.Linear(before, before), nn.LeakyReLU(SLOPE, inplace=True), nn.Linear(before, before)
        )
        self.width, self.tokens = before, grid[0] * grid[1]

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens (B, rows x columns, width), row by row, of RGB images (B, 3, H, W) in -1..1."""
        tokens: Tensor = self.E(x).flatten(2).transpose(1, 2)
        return tokens

    def represent(self, x: Tensor, *, mean: bool) -> Tensor:
        """Return one representation (B, D) an image for contrastive training.

        All projected tokens in a row, D = tokens x width, as published; with `mean` their average, D = width.
        """
        projected: Tensor = self.mlp(self(x))
        return projected.mean(dim=1) if mean else projected.flatten(1)
