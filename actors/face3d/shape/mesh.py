"""Grid-shaped mesh parts and their assembly into one indexed mesh with per-vertex attributes."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, lru_cache

import numpy as np


class Material(IntEnum):
    """Source of a part's colour: the head texture as skin or as hair, or its own vertex colours.

    Glare shines over what lies behind it, by the opacity 0..1 in the first number of `uv`.
    """

    SKIN = 0
    HAIR = 1
    PLAIN = 2
    GLARE = 3


@dataclass
class Part:
    """A rows x columns surface; outward is the side from which columns run right as rows run down."""

    name: str
    grid: np.ndarray  # (R, C, 3)
    material: Material = Material.PLAIN
    uv: np.ndarray | None = None  # (R, C, 2) in -1..1
    colour: np.ndarray | tuple[float, float, float] = (0.5, 0.5, 0.5)  # linear, (3,) or (R, C, 3)
    gloss: float = 0.15
    wrap: bool = False  # first and last column coincide
    double_sided: bool = False
    keep: np.ndarray | None = None  # (R - 1, C - 1) bool, quads to draw


@dataclass(frozen=True)
class Mesh:
    """Parts joined: attributes are normal xyz, uv, colour rgb (hair: strand direction xyz), key light at the vertex."""

    verts: np.ndarray  # (V, 3)
    attributes: np.ndarray  # (9, V)
    faces: np.ndarray  # (F, 3) int64, stored corner by corner as rasterising reads them
    face_part: np.ndarray  # (F,) index into the parts
    face_quad: np.ndarray  # (F,) index of the quad inside its part
    double_sided: np.ndarray  # (F,) bool
    thin: np.ndarray  # (V,) bool, vertices of double-sided parts


@cache
def quad_faces(rows: int, columns: int) -> np.ndarray:
    """Return the two triangles of every quad, ((R-1)(C-1), 2, 3), of positive area seen from outside."""
    r, c = np.meshgrid(np.arange(rows - 1), np.arange(columns - 1), indexing="ij")
    a = (r * columns + c).ravel()
    b, d, e = a + 1, a + columns, a + columns + 1
    return np.stack((np.stack((a, d, b), 1), np.stack((b, d, e), 1)), 1)


def grid_normals(grid: np.ndarray, wrap: bool) -> np.ndarray:
    """Return smooth outward unit normals (R, C, 3) of a grid surface."""
    return np.ascontiguousarray(_normal_planes(_planes(grid), wrap).transpose(1, 2, 0))


def _planes(grid: np.ndarray) -> np.ndarray:
    """Return a grid (R, C, 3) as (3, R, C), in which arithmetic is several times faster."""
    return np.ascontiguousarray(grid.transpose(2, 0, 1))


def _normal_planes(planes: np.ndarray, wrap: bool) -> np.ndarray:
    dx, dy, dz = _down(planes)
    right = np.empty_like(planes)
    np.subtract(planes[..., 2:], planes[..., :-2], out=right[..., 1:-1])
    if wrap:
        right[..., 0] = right[..., -1] = planes[..., 1] - planes[..., -2]
    else:
        right[..., 0] = planes[..., 1] - planes[..., 0]
        right[..., -1] = planes[..., -1] - planes[..., -2]
    rx, ry, rz = right
    return _unit(np.stack((dy * rz - dz * ry, dz * rx - dx * rz, dx * ry - dy * rx)))


def _down(planes: np.ndarray) -> np.ndarray:
    """Return vectors (3, R, C) down the columns of a grid; those of hair run along its strands."""
    down = np.empty_like(planes)
    np.subtract(planes[:, 2:], planes[:, :-2], out=down[:, 1:-1])
    down[:, 0], down[:, -1] = planes[:, 1] - planes[:, 0], planes[:, -1] - planes[:, -2]
    return down


def _unit(planes: np.ndarray) -> np.ndarray:
    x, y, z = planes
    planes /= np.maximum(np.sqrt(x * x + y * y + z * z), 1e-12)
    return planes


@lru_cache(maxsize=64)
def _drawn_faces(rows: int, columns: int, keep: bytes | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the kept faces of a part (3, F) and their quads (F,)."""
    # Cached, because most images of an identity keep the same quads.
    quad = np.arange((rows - 1) * (columns - 1))
    if keep is not None:
        quad = quad[np.frombuffer(keep, bool)]
    return np.ascontiguousarray(quad_faces(rows, columns)[quad].reshape(-1, 3).T), np.repeat(quad, 2)


def surface(parts: Sequence[Part]) -> tuple[np.ndarray, np.ndarray]:
    """Return vertices (V, 3) and faces (F, 3) of the parts as one mesh, as `assemble` does, without attributes."""
    sizes = [part.grid.shape[0] * part.grid.shape[1] for part in parts]
    starts = np.cumsum([0, *sizes[:-1]])
    verts = np.concatenate([part.grid.reshape(-1, 3) for part in parts]).astype(np.float32, copy=False)
    faces = [_kept_faces(part)[0] + start for part, start in zip(parts, starts, strict=True)]
    return verts, np.concatenate(faces, axis=1).T


def _kept_faces(part: Part) -> tuple[np.ndarray, np.ndarray]:
    return _drawn_faces(*part.grid.shape[:2], None if part.keep is None else part.keep.tobytes())


def assemble(parts: Sequence[Part]) -> Mesh:
    """Return the parts as one mesh, vertices and faces in part order."""
    sizes = [part.grid.shape[0] * part.grid.shape[1] for part in parts]
    verts = np.empty((sum(sizes), 3), np.float32)
    attributes = np.zeros((9, sum(sizes)), np.float32)
    attributes[8] = 1
    faces, quads = [], []
    offset = 0
    for part, size in zip(parts, sizes, strict=True):
        here = slice(offset, offset + size)
        planes = _planes(part.grid)
        verts[here] = part.grid.reshape(-1, 3)
        attributes[0:3, here] = _normal_planes(planes, part.wrap).reshape(3, -1)
        if part.uv is not None:
            attributes[3:5, here] = part.uv.reshape(-1, 2).T
        if part.material == Material.HAIR:
            attributes[5:8, here] = _unit(_down(planes)).reshape(3, -1)
        elif part.material in (Material.PLAIN, Material.GLARE):
            attributes[5:8, here] = np.asarray(part.colour, np.float32).reshape(-1, 3).T
        drawn, quad = _kept_faces(part)
        faces.append(drawn + offset)
        quads.append(quad)
        offset += size
    counts = [len(quad) for quad in quads]
    return Mesh(
        verts,
        attributes,
        np.concatenate(faces, axis=1).T,
        np.repeat(np.arange(len(parts)), counts),
        np.concatenate(quads),
        np.repeat([part.double_sided for part in parts], counts),
        np.repeat([part.double_sided for part in parts], sizes),
    )
