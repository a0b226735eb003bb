"""Networks of a few hundred parameters with the inputs and outputs of the published ones, for their players."""

import torch
from torch import Tensor, nn


class TinyEmbedding(nn.Module):
    """Colour images of any size to (N, 8); whatever arguments the real network takes are ignored."""

    def __init__(self, **_: object) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 5, 4, bias=False), nn.BatchNorm2d(8), nn.PReLU(8))
        self.project = nn.Linear(8, 8, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.project(self.stem(x).mean(dim=(2, 3)))
        return features


class TinyRotation(nn.Module):
    """Colour images to rotation matrices (N, 3, 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = TinyEmbedding()
        self.linear = nn.Linear(8, 9)

    def forward(self, x: Tensor) -> Tensor:
        u, _, v = torch.linalg.svd(self.linear(self.stem(x)).view(-1, 3, 3).float())
        return torch.det(u @ v).view(-1, 1, 1) * (u @ v)


class TinyAnchors(nn.Module):
    """Colour images to boxes, logits and landmarks of both anchors of every cell at strides 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({str(stride): nn.Conv2d(3, 32, stride, stride) for stride in (8, 16, 32)})

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        height, width = (-(-side // 32) * 32 for side in x.shape[2:])
        padded = nn.functional.pad(x, (0, width - x.shape[3], 0, height - x.shape[2]))
        levels = []
        for stride, head in self.heads.items():
            rows, columns = (-(-side // int(stride)) for side in x.shape[2:])
            levels.append(head(padded)[:, :, :rows, :columns].permute(0, 2, 3, 1).reshape(len(x), -1, 16))
        found = torch.cat(levels, dim=1)
        return found[..., :4], found[..., 4:6], found[..., 6:]


class WithConstants(nn.Module):
    """A network with a value that no checkpoint holds, which its constructor must set; with `waves`, a random one."""

    def __init__(self, size: int = 2, waves: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(size))
        self.register_buffer("scale", torch.full((size,), 7.0), persistent=False)
        if waves:
            self.register_buffer("waves", torch.randn(8))
