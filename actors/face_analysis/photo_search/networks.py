"""The three networks of MTCNN with channels last: the same arithmetic in a third of the time on a CPU.

Input is float32 (N, H, W, 4) of which the last channel counts for nothing.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

Place = tuple[int, int, int, int]
"""Left, top, width and height in pixels of a picture on a canvas."""


class _Layers:
    """Layers of one network of facenet-pytorch, with weights in the order that channels last need."""

    def __init__(self, network: nn.Module, heads: tuple[str, ...]) -> None:
        self._weights: dict[str, Tensor] = {}
        self._slopes: dict[str, Tensor] = {}
        for name, weight in network.state_dict().items():
            if weight.ndim == 4:
                weight = weight.contiguous(memory_format=torch.channels_last)
            self._weights[name] = weight
        first = self._weights["conv1.weight"]
        self._weights["conv1.weight"] = functional.pad(first, (0, 0, 0, 0, 0, 1)).contiguous(
            memory_format=torch.channels_last
        )
        self._head = torch.cat([self._weights[f"{name}.weight"].flatten(1) for name in heads])
        self._head_bias = torch.cat([self._weights[f"{name}.bias"] for name in heads])

    def conv(self, values: Tensor, number: int) -> Tensor:
        """Convolve (N, C, H, W) in channels last, and apply its PReLU."""
        found = functional.conv2d(values, self._weights[f"conv{number}.weight"], self._weights[f"conv{number}.bias"])
        return self._prelu(found, f"prelu{number}.weight")

    def _prelu(self, values: Tensor, name: str) -> Tensor:
        # One row a line of pixels: PyTorch then multiplies whole rows, not one pixel at a time.
        rows = values.permute(0, 2, 3, 1)
        count, height, width, channels = rows.shape
        slopes = self._slopes.get(name)
        if slopes is None or len(slopes) < width * channels:
            slopes = self._slopes[name] = self._weights[name].repeat(width)
        flat = functional.prelu(rows.reshape(count * height, width * channels), slopes[: width * channels])
        return flat.view(rows.shape).permute(0, 3, 1, 2)

    def dense(self, values: Tensor, number: int) -> Tensor:
        """Flatten (N, C, H, W) in the order of the published weights, multiply, and apply the PReLU."""
        flat = values.permute(0, 3, 2, 1).flatten(1)
        found = functional.linear(flat, self._weights[f"dense{number}.weight"], self._weights[f"dense{number}.bias"])
        return functional.prelu(found, self._weights[f"prelu{number}.weight"])

    def heads(self, values: Tensor) -> Tensor:
        """Return face probability and then all other outputs, float32 (N, 1 + K), of features (N, C)."""
        found = functional.linear(values, self._head, self._head_bias)
        return torch.cat([found[:, :2].softmax(dim=1)[:, 1:], found[:, 2:]], dim=1)


class ProposalNetwork(_Layers):
    """P-Net: the probability of a face and the shift of its box at every second pixel."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network, ("conv4_1", "conv4_2"))

    def __call__(self, pixels: Tensor, threshold: float, places: Sequence[Place] = ()) -> tuple[Tensor, Tensor]:
        """Return cells int64 (N, 2) y, x of at least that probability in one image, and what is found there.

        That is float32 (N, 5), the probability and the shifts of x0, y0, x1, y1 in box sides. The image may hold
        several pictures at `places`, even x and y; cells that belong to none of them have no meaning.
        """
        values = self.conv(pixels.permute(0, 3, 1, 2), 1)
        for x, y, width, height in places:
            # The last odd row or column is pooled alone, without the pixels between the pictures.
            if height % 2:
                values[0, :, y + height - 2, x : x + width] = -torch.inf
            if width % 2:
                values[0, :, y : y + height, x + width - 2] = -torch.inf
        values = _pool_pairs(values)
        values = self.conv(self.conv(values, 2), 3)[0].permute(1, 2, 0)
        # The softmax of two numbers passes the threshold where their difference passes its logit.
        margin = values.flatten(0, 1) @ (self._head[1] - self._head[0]) + (self._head_bias[1] - self._head_bias[0])
        cells = (margin.view(values.shape[:2]) >= math.log(threshold / (1 - threshold))).nonzero()
        return cells, self.heads(values[cells[:, 0], cells[:, 1]])


class RefinementNetwork(_Layers):
    """R-Net: the probability of a face and the shift of its box, of crops of 24 x 24."""

    side = 24

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network, ("dense5_1", "dense5_2"))

    def __call__(self, pixels: Tensor) -> Tensor:
        """Return float32 (N, 5) probability and shifts."""
        values = _pool(self.conv(pixels.permute(0, 3, 1, 2), 1), 3)
        values = _pool(self.conv(values, 2), 3)
        return self.heads(self.dense(self.conv(values, 3), 4))


class OutputNetwork(_Layers):
    """O-Net: the probability of a face, the shift of its box and its landmarks, of crops of 48 x 48."""

    side = 48

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network, ("dense6_1", "dense6_2", "dense6_3"))

    def __call__(self, pixels: Tensor) -> Tensor:
        """Return float32 (N, 15) probability, shifts, and x of five landmarks, then y, in box sides."""
        values = _pool(self.conv(pixels.permute(0, 3, 1, 2), 1), 3)
        values = _pool(self.conv(values, 2), 3)
        values = _pool(self.conv(values, 3), 2)
        return self.heads(self.dense(self.conv(values, 4), 5))


def _pool(values: Tensor, size: int) -> Tensor:
    return functional.max_pool2d(values, size, 2, ceil_mode=True)


def _pool_pairs(values: Tensor) -> Tensor:
    """Return maxima over 2 x 2 pixels; a last odd row or column is its own."""
    rows = values.permute(0, 2, 3, 1)
    rows = functional.pad(rows, (0, 0, 0, rows.shape[2] % 2, 0, rows.shape[1] % 2), value=-torch.inf)
    count, height, width, channels = rows.shape
    lines = torch.maximum(rows[:, 0::2], rows[:, 1::2]).view(count, height // 2, width // 2, 2, channels)
    return torch.maximum(lines[:, :, :, 0], lines[:, :, :, 1]).permute(0, 3, 1, 2)
