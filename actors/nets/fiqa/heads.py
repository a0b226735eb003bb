"""Regression heads of quality networks."""

from torch import nn

HEAD_WIDTH = 64
"""Hidden units of the head of the small networks."""
DROPOUT = 0.4
LABEL_WIDTH, LABEL_DROPOUT = 256, 0.5
"""Of MR-FIQA's fixed-quality head."""


def small_head(inputs: int, width: int = HEAD_WIDTH, dropout: float = DROPOUT) -> tuple[nn.Sequential, nn.Linear]:
    """Return two hidden layers (B, inputs) -> (B, width) of Linear, BatchNorm, ReLU, and the Linear to a scalar.

    It has the form of MR-FIQA's fixed-quality head, narrower to suit small trunks.
    """
    hidden = nn.Sequential(
        nn.Linear(inputs, width),
        nn.BatchNorm1d(width),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(width, width),
        nn.BatchNorm1d(width),
        nn.ReLU(),
    )
    score = nn.Linear(width, 1)
    # start near the constant 1/2, the middle of the labels, so that the first steps do not disturb the trunk
    nn.init.normal_(score.weight, std=0.01)
    nn.init.constant_(score.bias, 0.5)
    return hidden, score


def label_head(channels: int) -> nn.Sequential:
    """Return MR-FIQA's fixed-quality head, which maps a feature map (B, channels, H, W) to (B, 1).

    The places of its layers are the published keys: 2 and 6 are hidden Linear layers, 3 and 7 batch normalisations, 9
    the Linear layer to the score.
    """
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, LABEL_WIDTH),
        nn.BatchNorm1d(LABEL_WIDTH),
        nn.ReLU(),
        nn.Dropout(LABEL_DROPOUT),
        nn.Linear(LABEL_WIDTH, LABEL_WIDTH),
        nn.BatchNorm1d(LABEL_WIDTH),
        nn.ReLU(),
        nn.Linear(LABEL_WIDTH, 1),
    )
