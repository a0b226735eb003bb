"""BiSeNet on ResNet-18 for face parsing under the tensor names of the public checkpoint, without its training heads.

Channel attention weights the trunk's coarse stages, which are upsampled to an eighth of the resolution and fused with
the stage of that resolution (Yu 2018; the published network has no separate spatial path).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.resnet import BasicBlock, ResNet


class BiSeNet(nn.Module):
    """Maps (N, 3, H, W) to logits (N, classes, H, W); 13,150,272 parameters for 19 classes."""

    def __init__(self, classes: int = 19) -> None:
        super().__init__()
        self.cp = _ContextPath()
        self.ffm = _Fusion(256)
        self.conv_out = _Head(256, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of every pixel."""
        eighth, context = self.cp(x)
        logits = self.conv_out(self.ffm(eighth, context))
        return functional.interpolate(logits, x.shape[2:], mode="bilinear", align_corners=True)


class _Trunk(nn.Module):
    """ResNet-18 without pooling and classifier, made of torchvision's blocks under torchvision's names."""

    def __init__(self) -> None:
        super().__init__()
        whole = ResNet(BasicBlock, [2, 2, 2, 2])
        self.conv1, self.bn1, self.relu, self.maxpool = whole.conv1, whole.bn1, whole.relu, whole.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = whole.layer1, whole.layer2, whole.layer3, whole.layer4

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return 128, 256 and 512 channels at 1/8, 1/16 and 1/32 of the resolution, rounded up."""
        eighth: Tensor = self.layer2(self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(x))))))
        sixteenth: Tensor = self.layer3(eighth)
        return eighth, sixteenth, self.layer4(sixteenth)


class _Convolution(nn.Module):
    """Size-preserving convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, side: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, side, padding=side // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class _Refinement(nn.Module):
    """Attention refinement: a stage reduced to 128 channels, each scaled by a weight from the channel means."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv = _Convolution(inputs, 128, 3)
        self.conv_atten = nn.Conv2d(128, 128, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(128)

    def forward(self, x: Tensor) -> Tensor:
        features = self.conv(x)
        return features * torch.sigmoid(self.bn_atten(self.conv_atten(_mean(features))))


class _ContextPath(nn.Module):
    """The trunk, and its two coarsest stages combined at an eighth of the resolution."""

    def __init__(self) -> None:
        super().__init__()
        self.resnet = _Trunk()
        self.arm16, self.arm32 = _Refinement(256), _Refinement(512)
        self.conv_head32, self.conv_head16 = _Convolution(128, 128, 3), _Convolution(128, 128, 3)
        self.conv_avg = _Convolution(512, 128, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the trunk's stage at 1/8 and the context at the same resolution, 128 channels each."""
        eighth, sixteenth, coarsest = self.resnet(x)
        coarse = self.arm32(coarsest) + self.conv_avg(_mean(coarsest))
        coarse = self.conv_head32(functional.interpolate(coarse, sixteenth.shape[2:], mode="nearest"))
        middle = self.arm16(sixteenth) + coarse
        return eighth, self.conv_head16(functional.interpolate(middle, eighth.shape[2:], mode="nearest"))


class _Fusion(nn.Module):
    """Feature fusion: two concatenated maps, convolved and scaled by channel attention."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convblk = _Convolution(channels, channels, 1)
        self.conv1 = nn.Conv2d(channels, channels // 4, 1, bias=False)
        self.conv2 = nn.Conv2d(channels // 4, channels, 1, bias=False)

    def forward(self, spatial: Tensor, context: Tensor) -> Tensor:
        features = self.convblk(torch.cat([spatial, context], dim=1))
        return features + features * torch.sigmoid(self.conv2(functional.relu(self.conv1(_mean(features)))))


class _Head(nn.Module):
    """Maps features to class logits at every cell."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.conv = _Convolution(channels, channels, 3)
        self.conv_out = nn.Conv2d(channels, classes, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_out(self.conv(x))


def _mean(x: Tensor) -> Tensor:
    return x.mean(dim=(2, 3), keepdim=True)
