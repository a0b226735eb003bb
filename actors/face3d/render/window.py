"""Windows: the part of a picture that is drawn, where the rest is never looked at."""

from dataclasses import dataclass

import numpy as np

Window = tuple[int, int, int, int]
"""Left, top, right and bottom of a part in pixels; right and bottom lie behind its last pixel."""

_MARGIN = 2  # pixels of the picture that are reduced beyond a window, since its edge is not an edge of the picture


@dataclass(frozen=True)
class Frame:
    """What is drawn of a picture: its window and the part of the supersampled frame that it is reduced from."""

    size: int  # of the picture
    side: int  # of the supersampled frame
    window: Window  # of the picture
    wide: Window  # of the picture, from `part`
    part: Window  # of the frame

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the canvas."""
        return self.part[3] - self.part[1], self.part[2] - self.part[0]

    @property
    def pixels(self) -> int:
        """Number of pixels of the canvas."""
        return self.shape[0] * self.shape[1]


def around(points: np.ndarray, size: int) -> Window:
    """Return the window of a size x size picture that holds points (..., 2) in pixels."""
    low, high = np.floor(points.reshape(-1, 2).min(0)), np.ceil(points.reshape(-1, 2).max(0)) + 1
    left, top = (int(value) for value in np.clip(low, 0, size - 1))
    right, bottom = (int(value) for value in np.clip(high, 1, size))
    return left, top, max(right, left + 1), max(bottom, top + 1)


def joined(one: Window, other: Window) -> Window:
    """Return the smallest window that holds both."""
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def reducible(window: Window, size: int, frame: int) -> tuple[Window, Window]:
    """Return a larger window of a picture, and the part of its frame x frame canvas that it is reduced from.

    Reducing that part gives the bits that the whole canvas gives in the window. Where no such part is known it is all.
    """
    if 2 * frame != 3 * size or size % 2:
        return (0, 0, size, size), (0, 0, frame, frame)
    # Two pixels of the picture are three of the canvas: weights repeat after them.
    left, top = (max(0, edge - _MARGIN) // 2 * 2 for edge in window[:2])
    right, bottom = (min(size, edge + _MARGIN + 1) // 2 * 2 for edge in window[2:])
    wide = left, top, right, bottom
    return wide, (left * 3 // 2, top * 3 // 2, right * 3 // 2, bottom * 3 // 2)


def inside(window: Window, wide: Window) -> tuple[slice, slice]:
    """Return the rows and columns of a window in an array of a wider one."""
    left, top = wide[:2]
    return slice(window[1] - top, window[3] - top), slice(window[0] - left, window[2] - left)
