"""6DRepNet360, key for key the published head pose network: ResNet-50, one linear layer, six numbers, a rotation."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from synfiqa.actors.nets.resnet_trunk import ResNet50Trunk

_EPSILON = 1e-8


class SixDRepNet360(ResNet50Trunk):
    """Maps (N, 3, 224, 224) to float32 rotation matrices (N, 3, 3), whatever the precision before (Hempel 2024).

    23,520,326 parameters. What the matrix rotates is told in `synfiqa.actors.face_analysis.rotation_pose`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.linear_reg = nn.Linear(2048, 6)

    def forward(self, x: Tensor) -> Tensor:
        """Return one rotation per image."""
        *_, features = self.stages(x)
        # The published pooling has a window of 7 x 7, which is all there is at 224 pixels.
        return rotation_from_6d(self.linear_reg(features.mean(dim=(2, 3))).float())

    @staticmethod
    def rehearse(state: dict[str, Tensor]) -> None:
        """Bend random weights so that heads look about straight ahead, as most do."""
        state["linear_reg.bias"].copy_(torch.tensor([1.0, 0, 0, 0, 1, 0]))


def rotation_from_6d(numbers: Tensor) -> Tensor:
    """Return rotations (N, 3, 3) whose columns x, y, z are Gram and Schmidt's of two raw vectors (N, 6)."""
    x = functional.normalize(numbers[:, :3], eps=_EPSILON)
    z = functional.normalize(torch.linalg.cross(x, numbers[:, 3:]), eps=_EPSILON)
    return torch.stack([x, torch.linalg.cross(z, x), z], dim=2)
