"""RetinaFace on ResNet-50 under the tensor names of the public PyTorch checkpoints; its outputs are encoded.

The trunk's last three stages enter a feature pyramid, each level goes through a context module of 3 x 3 convolutions
(SSH), and three 1 x 1 heads predict class, box and landmarks of both anchors of every cell (Deng 2020;
`synfiqa.actors.face_analysis.retinaface` decodes them).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from synfiqa.actors.imaging.alignment import ARCFACE_SIZE, ARCFACE_TEMPLATE
from synfiqa.actors.nets.resnet_trunk import ResNet50Trunk

ANCHORS_PER_CELL = 2
WIDTH = 256
"""Channels of the pyramid. The published code has leaky ReLU only up to a width of 64, hence ReLU here."""


class RetinaFaceR50(nn.Module):
    """Maps (N, 3, H, W) to boxes (N, A, 4), class logits (N, A, 2: background, face) and landmarks (N, A, 10).

    Anchors run over levels (stride 8, 16, 32), rows, columns, and the two sizes of a cell. 27,293,600 parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = ResNet50Trunk()
        self.fpn = _Pyramid((512, 1024, 2048))
        self.ssh1, self.ssh2, self.ssh3 = _Context(), _Context(), _Context()
        self.ClassHead, self.BboxHead, self.LandmarkHead = _heads(2), _heads(4), _heads(10)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the three raw outputs, in the order boxes, logits, landmarks."""
        pyramid = self.fpn(self.body.stages(x))
        levels = [context(level) for context, level in zip((self.ssh1, self.ssh2, self.ssh3), pyramid, strict=True)]
        boxes, logits, landmarks = (
            torch.cat([head(level) for head, level in zip(heads, levels, strict=True)], dim=1)
            for heads in (self.BboxHead, self.ClassHead, self.LandmarkHead)
        )
        return boxes, logits, landmarks

    @staticmethod
    def rehearse(state: dict[str, Tensor]) -> None:
        """Adjust random weights to detect a face of 64 pixels in the middle of every embedded portrait of 128.

        On the middle level all cells have equal scores and the first wins; box and points are encoded relative to it.
        """
        anchor, side, cell, middle = 128, 64, 8, 64
        scale = 0.1 * anchor
        points = torch.from_numpy((ARCFACE_TEMPLATE / ARCFACE_SIZE - 0.5) * side + middle - cell).float() / scale
        box = torch.tensor([(middle - cell) / scale, (middle - cell) / scale, *[math.log(side / anchor) / 0.2] * 2])
        for level, face in enumerate((-4.0, 4.0, -4.0)):
            state[f"ClassHead.{level}.conv1x1.bias"].copy_(torch.tensor([4.0, -4.0, -face, face]))
        state["ClassHead.1.conv1x1.weight"].zero_()
        for head, values in (("BboxHead", box), ("LandmarkHead", points.flatten())):
            state[f"{head}.1.conv1x1.bias"].copy_(values.repeat(ANCHORS_PER_CELL))
            state[f"{head}.1.conv1x1.weight"].mul_(0.1)


class _Pyramid(nn.Module):
    """Feature pyramid: coarse levels are added to finer ones, which are then smoothed; the coarsest is unchanged."""

    def __init__(self, channels: tuple[int, int, int]) -> None:
        super().__init__()
        self.output1, self.output2, self.output3 = (_convolution(count, WIDTH, 1, relu=True) for count in channels)
        self.merge1, self.merge2 = (_convolution(WIDTH, WIDTH, 3, relu=True) for _ in range(2))

    def forward(self, stages: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        eighth, sixteenth, coarsest = self.output1(stages[0]), self.output2(stages[1]), self.output3(stages[2])
        sixteenth = self.merge2(sixteenth + functional.interpolate(coarsest, sixteenth.shape[2:], mode="nearest"))
        eighth = self.merge1(eighth + functional.interpolate(sixteenth, eighth.shape[2:], mode="nearest"))
        return eighth, sixteenth, coarsest


class _Context(nn.Module):
    """SSH (Najibi 2017): receptive fields of 3 x 3, 5 x 5 and 7 x 7 cells, concatenated, made of 3 x 3 convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv3X3 = _convolution(WIDTH, WIDTH // 2, 3, relu=False)
        self.conv5X5_1 = _convolution(WIDTH, WIDTH // 4, 3, relu=True)
        self.conv5X5_2 = _convolution(WIDTH // 4, WIDTH // 4, 3, relu=False)
        self.conv7X7_2 = _convolution(WIDTH // 4, WIDTH // 4, 3, relu=True)
        self.conv7x7_3 = _convolution(WIDTH // 4, WIDTH // 4, 3, relu=False)

    def forward(self, level: Tensor) -> Tensor:
        shared = self.conv5X5_1(level)
        views = [self.conv3X3(level), self.conv5X5_2(shared), self.conv7x7_3(self.conv7X7_2(shared))]
        return functional.relu(torch.cat(views, dim=1))


class _Head(nn.Module):
    """Predicts `values` numbers per anchor, as (N, anchors, values)."""

    def __init__(self, values: int) -> None:
        super().__init__()
        self.values = values
        self.conv1x1 = nn.Conv2d(WIDTH, ANCHORS_PER_CELL * values, 1)

    def forward(self, level: Tensor) -> Tensor:
        return self.conv1x1(level).permute(0, 2, 3, 1).reshape(len(level), -1, self.values)


def _heads(values: int) -> nn.ModuleList:
    return nn.ModuleList(_Head(values) for _ in range(3))


def _convolution(inputs: int, outputs: int, side: int, relu: bool) -> nn.Sequential:
    layers = [nn.Conv2d(inputs, outputs, side, padding=side // 2, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)
