"""Pictures and parts of them at other sizes: means over whole pixels, from sums that are made once a picture.

Equal to `torch.nn.functional.interpolate(mode="area")` up to rounding, which MTCNN was trained with, but the time does
not grow with the size of the source.
"""

import cv2
import numpy as np


class AreaMeans:
    """Means over rectangles of a uint8 RGB image (H, W, 3), as network input: (mean - 127.5) / 128."""

    def __init__(self, image: np.ndarray) -> None:
        self.height, self.width = image.shape[:2]
        # A fourth channel of zeros makes a pixel 16 bytes, which numpy moves as one complex number.
        padded = np.zeros((self.height, self.width, 4), np.uint8)
        cv2.mixChannels([np.ascontiguousarray(image)], [padded], [0, 0, 1, 1, 2, 2])
        # Sums beyond 2^31 wrap around; the differences that are taken of them do not change.
        self._sums: np.ndarray = cv2.integral(padded, sdepth=cv2.CV_32S)

    def whole(self, height: int, width: int, first: int = 0, last: int | None = None) -> np.ndarray:
        """Return rows `first` to `last` of the picture at (height, width), as float32 (1, rows, width, 4).

        The last channel has no meaning.
        """
        top, bottom = (edges[0, first:last] for edges in _windows(np.array([self.height]), height))
        left, right = (edges[0] for edges in _windows(np.array([self.width]), width))
        rows = _as_pixels(self._sums[bottom] - self._sums[top])
        sums = _as_numbers(np.take(rows, right, axis=1)) - _as_numbers(np.take(rows, left, axis=1))
        means = sums.reshape(len(top), width * 4).astype(np.float32)
        means *= (1 / (128 * (bottom - top)))[:, None].astype(np.float32)
        means *= np.repeat(1 / (right - left), 4).astype(np.float32)
        means -= np.float32(127.5 / 128)
        return means.reshape(1, len(top), width, 4)

    def parts(self, corners: np.ndarray, side: int) -> np.ndarray:
        """Return parts of the picture as float32 (N, side, side, 4), by corners int (N, 4) x0, y0, x1, y1.

        The corners lie inside the picture, x1 and y1 behind the last pixel; no part is empty.
        """
        left, right = (edge + corners[:, :1] for edge in _windows(corners[:, 2] - corners[:, 0], side))
        top, bottom = (edge + corners[:, 1:2] for edge in _windows(corners[:, 3] - corners[:, 1], side))
        flat, stride = _as_pixels(self._sums).reshape(-1), self.width + 1

        def at(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
            return _as_numbers(np.take(flat, (rows * stride)[:, :, None] + columns[:, None, :]))

        sums = at(bottom, right)
        sums -= at(top, right)
        sums -= at(bottom, left)
        sums += at(top, left)
        count = ((bottom - top)[:, :, None] * (right - left)[:, None, :])[..., None]
        means = sums.astype(np.float32)
        means *= (1 / (128 * count)).astype(np.float32)
        means -= np.float32(127.5 / 128)
        return means


def _windows(lengths: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return first pixels and ends (N, count) of the windows that cut each length into `count` parts."""
    steps, lengths = np.arange(count), lengths[:, None].astype(np.int64)
    return steps * lengths // count, -(-(steps + 1) * lengths // count)


def _as_pixels(sums: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(sums).view(np.complex128)[..., 0]


def _as_numbers(pixels: np.ndarray) -> np.ndarray:
    return pixels[..., None].view(np.int32)
