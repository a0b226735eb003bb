"""6DRepNet360 under the tensor names of the published head pose network: ResNet-50 and a 6-D rotation."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from synfiqa.actors.nets.resnet_trunk import ResNet50Trunk

_EPSILON = 1e-8


class SixDRepNet360(ResNet50Trunk):
    """Maps (N, 3, 224, 224) to rotation matrices (N, 3, 3), always float32 (Hempel 2024).

    23,520,326 parameters. `synfiqa.actors.face_analysis.rotation_pose` describes the convention of the matrix.
    """

    def __init__(self) -> None:
        super().__init__()
        self.linear_reg = nn.Linear(2048, 6)

    def forward(self, x: Tensor) -> Tensor:
        """Return one rotation per image."""
        *_, features = self.stages(x)
        # The published pooling has a window of 7 x 7, which is the whole map at 224 pixels.
        return rotation_from_6d(self.linear_reg(features.mean(dim=(2, 3))).float())

    @staticmethod
    def rehearse(state: dict[str, Tensor]) -> None:
        """Adjust random weights to near-frontal poses."""
        state["linear_reg.bias"].copy_(torch.tensor([1.0, 0, 0, 0, 1, 0]))


def rotation_from_6d(numbers: Tensor) -> Tensor:
    """Return rotations (N, 3, 3) whose columns x, y, z are two raw vectors (N, 6) after Gram-Schmidt."""
    x = functional.normalize(numbers[:, :3], eps=_EPSILON)
    z = functional.normalize(torch.linalg.cross(x, numbers[:, 3:]), eps=_EPSILON)
    return torch.stack([x, torch.linalg.cross(z, x), z], dim=2)
