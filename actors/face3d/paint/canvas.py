"""Painting tools over the head's (row, column) texture: coordinates, noise and colour helpers."""

from dataclasses import dataclass

import cv2
import numpy as np

from synfiqa.actors.face3d.shape.head import COLUMNS, LIP_ROW, ROWS

SIZE = 192  # texels per side; at a 128 px portrait one pixel covers about two texels


def to_linear(colour: np.ndarray) -> np.ndarray:
    """Return display colour 0..1 as linear light (gamma 2.2)."""
    if colour.ndim < 2:
        return np.power(np.clip(colour, 0, 1), 2.2, dtype=np.float32)
    return cv2.pow(np.clip(colour, 0, 1).astype(np.float32, copy=False), 2.2)  # five times faster than numpy


def upsample(grid: np.ndarray, size: int = SIZE) -> np.ndarray:
    """Return a (ROWS, COLUMNS, k) vertex field interpolated bilinearly at texels (size, size, k), corners aligned."""
    rows = np.linspace(0, ROWS - 1, size, dtype=np.float32)
    cols = np.linspace(0, COLUMNS - 1, size, dtype=np.float32)
    map_x, map_y = np.meshgrid(cols, rows)
    return cv2.remap(np.ascontiguousarray(grid, np.float32), map_x, map_y, cv2.INTER_LINEAR)


def texel_of_row(row: float) -> float:
    """Return the texel row of a grid row."""
    return row * (SIZE - 1) / (ROWS - 1)


def noise(rng: np.random.Generator, cells: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    """Return smooth noise of zero mean and about unit deviation: (rows, columns) random cells stretched to shape."""
    field = rng.standard_normal(cells, dtype=np.float32)
    return cv2.resize(field, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def soft(edge: float, value: np.ndarray) -> np.ndarray:
    """Return 1 where value is below 0, falling to 0 over the edge width (a soft inside test)."""
    return np.clip(0.5 - value / edge, 0, 1)


def dot(value: np.ndarray) -> np.ndarray:
    """Return exp(-value**2), a soft line of half-width 1."""
    return np.exp(-np.square(value))


@dataclass
class Canvas:
    """A window of the texture being painted; colours are display-referred until painting ends."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    lip_strip: np.ndarray  # 1 inside the strip of rows that opens as the mouth
    skin: np.ndarray  # (H, W, 3), a view of planes (3, H, W), in which arithmetic is several times faster
    closed: np.ndarray  # (H, W, 3) the same with the eyes shut
    lid: np.ndarray  # (H, W) eyes_closed level from which the lid covers the texel; 2 = never
    facial_hair: np.ndarray  # (H, W) opacity of brows and beard
    gloss: np.ndarray  # (H, W)
    eye: np.ndarray  # (3, H, W) share of eyeball, and x to image-right and y up from the eye's centre in head units
    texel: np.ndarray  # (H, 1) texel row

    def tint(self, mask: np.ndarray, colour: np.ndarray | tuple[float, ...] | float) -> None:
        """Blend a colour over both skins by a mask 0..1."""
        m = mask[..., None]
        for layer in (self.skin, self.closed):
            layer += m * (np.asarray(colour, np.float32) - layer)

    def shade(self, mask: np.ndarray, colour: np.ndarray | tuple[float, ...] | float) -> None:
        """Multiply both skins by a colour where the mask is 1."""
        channels = np.asarray(colour, np.float32)
        factor = 1 - mask * (1 - channels) if channels.ndim == 0 else None
        for channel in range(3):
            here = 1 - mask * (1 - channels[channel]) if factor is None else factor
            self.skin[..., channel] *= here
            self.closed[..., channel] *= here

    def around(self, x: tuple[float, float], y: tuple[float, float]) -> tuple[slice, slice]:
        """Return the rows and columns that hold all texels with x and y in these ranges."""
        here = (self.x >= x[0]) & (self.x <= x[1]) & (self.y >= y[0]) & (self.y <= y[1])
        rows, columns = np.flatnonzero(here.any(1)), np.flatnonzero(here.any(0))
        if not len(rows):
            return slice(0, 0), slice(0, 0)
        return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)

    def part(self, where: tuple[slice, slice]) -> "Canvas":
        """Return a part of the canvas; what is painted there is painted here."""
        rows, columns = where
        return Canvas(
            self.x[rows, columns],
            self.y[rows, columns],
            self.z[rows, columns],
            self.lip_strip[rows, columns],
            self.skin[rows, columns],
            self.closed[rows, columns],
            self.lid[rows, columns],
            self.facial_hair[rows, columns],
            self.gloss[rows, columns],
            self.eye[:, rows, columns],
            self.texel[rows],
        )

    def near(self, x: float, y: float, reach_x: float, reach_y: float) -> "Canvas":
        """Return the part around a place; outside, a bump of a sixth of that width is too weak to change a bit."""
        return self.part(self.around((x - reach_x, x + reach_x), (y - reach_y, y + reach_y)))


def _by_planes(colours: np.ndarray) -> np.ndarray:
    """Return a copy (H, W, 3) of colours whose channels are planes in memory."""
    return np.ascontiguousarray(colours.transpose(2, 0, 1)).transpose(1, 2, 0)


def canvas(position: np.ndarray, base: np.ndarray, rows: slice, cols: slice) -> Canvas:
    """Return a canvas over a window of the texture, filled with the base skin."""
    pos = position[rows, cols]
    texel = np.arange(SIZE, dtype=np.float32)[rows]
    strip = (texel > texel_of_row(LIP_ROW)) & (texel < texel_of_row(LIP_ROW + 1))
    # at least one texel row must lie in the strip at any grid density
    middle = np.abs(texel - texel_of_row(LIP_ROW + 0.5))
    strip |= middle <= max(middle.min(), 0.51)
    shape = pos.shape[:2]
    return Canvas(
        x=np.ascontiguousarray(pos[..., 0]),
        y=np.ascontiguousarray(pos[..., 1]),
        z=np.ascontiguousarray(pos[..., 2]),
        lip_strip=np.broadcast_to(strip[:, None].astype(np.float32), shape),
        skin=_by_planes(base[rows, cols]),
        closed=_by_planes(base[rows, cols]),
        lid=np.full(shape, 2.0, np.float32),
        facial_hair=np.zeros(shape, np.float32),
        gloss=np.full(shape, 0.35, np.float32),
        eye=np.zeros((3, *shape), np.float32),
        texel=texel[:, None],
    )
