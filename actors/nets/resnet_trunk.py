"""The convolutional part of ResNet-50, made of torchvision's blocks under torchvision's names; no weights."""

from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck, ResNet


class ResNet50Trunk(nn.Module):
    """ResNet-50 (He 2015, stride in the 3 x 3 convolutions) without pooling and classifier: 23,508,032 parameters."""

    def __init__(self) -> None:
        super().__init__()
        whole = ResNet(Bottleneck, [3, 4, 6, 3])
        self.conv1, self.bn1, self.relu, self.maxpool = whole.conv1, whole.bn1, whole.relu, whole.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = whole.layer1, whole.layer2, whole.layer3, whole.layer4

    def stages(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map (N, 3, H, W) to 512, 1024 and 2048 channels at 1/8, 1/16 and 1/32 of the resolution, rounded up."""
        eighth: Tensor = self.layer2(self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(x))))))
        sixteenth: Tensor = self.layer3(eighth)
        return eighth, sixteenth, self.layer4(sixteenth)
