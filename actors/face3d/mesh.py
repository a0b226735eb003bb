"""Grid-shaped mesh parts and their assembly into one indexed mesh with per-vertex attributes."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, lru_cache

import numpy as np


class Material(IntEnum):
    """How a part is coloured: from the head texture as skin or as hair, or from its own vertex colours."""

    SKIN = 0
    HAIR = 1
    PLAIN = 2


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


@cache
def quad_faces(rows: int, columns: int) -> np.ndarray:
    """Return the two triangles of every quad, ((R-1)(C-1), 2, 3), of positive area seen from outside."""
    r, c = np.meshgrid(np.arange(rows - 1), np.arange(columns - 1), indexing="ij")
    a = (r * columns + c).ravel()
    b, d, e = a + 1, a + columns, a + columns + 1
    return np.stack((np.stack((a, d, b), 1), np.stack((b, d, e), 1)), 1)


def grid_normals(grid: np.ndarray, wrap: bool) -> np.ndarray:
    """Return smooth outward unit normals (R, C, 3) of a grid surface."""
    down = np.empty_like(grid)
    down[1:-1] = grid[2:] - grid[:-2]
    down[0], down[-1] = grid[1] - grid[0], grid[-1] - grid[-2]
    right = np.empty_like(grid)
    right[:, 1:-1] = grid[:, 2:] - grid[:, :-2]
    if wrap:
        right[:, 0] = right[:, -1] = grid[:, 1] - grid[:, -2]
    else:
        right[:, 0], right[:, -1] = grid[:, 1] - grid[:, 0], grid[:, -1] - grid[:, -2]
    normal = np.empty_like(grid)
    normal[..., 0] = down[..., 1] * right[..., 2] - down[..., 2] * right[..., 1]
    normal[..., 1] = down[..., 2] * right[..., 0] - down[..., 0] * right[..., 2]
    normal[..., 2] = down[..., 0] * right[..., 1] - down[..., 1] * right[..., 0]
    length = np.sqrt((normal * normal).sum(-1, keepdims=True))
    return normal / np.maximum(length, 1e-12)


def _strand_direction(grid: np.ndarray) -> np.ndarray:
    """Return unit vectors (R, C, 3) down the columns of a hair grid, along which its strands run."""
    down = np.empty_like(grid)
    down[1:-1] = grid[2:] - grid[:-2]
    down[0], down[-1] = grid[1] - grid[0], grid[-1] - grid[-2]
    return down / np.maximum(np.sqrt((down * down).sum(-1, keepdims=True)), 1e-12)


@lru_cache(maxsize=64)
def _drawn_faces(rows: int, columns: int, keep: bytes | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the kept faces of a part (3, F) and their quads (F,); the parts of one person keep the same quads."""
    quad = np.arange((rows - 1) * (columns - 1))
    if keep is not None:
        quad = quad[np.frombuffer(keep, bool)]
    return np.ascontiguousarray(quad_faces(rows, columns)[quad].reshape(-1, 3).T), np.repeat(quad, 2)


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
        verts[here] = part.grid.reshape(-1, 3)
        attributes[0:3, here] = grid_normals(part.grid, part.wrap).reshape(-1, 3).T
        if part.uv is not None:
            attributes[3:5, here] = part.uv.reshape(-1, 2).T
        if part.material == Material.HAIR:
            attributes[5:8, here] = _strand_direction(part.grid).reshape(-1, 3).T
        elif part.material == Material.PLAIN:
            attributes[5:8, here] = np.asarray(part.colour, np.float32).reshape(-1, 3).T
        drawn, quad = _drawn_faces(*part.grid.shape[:2], None if part.keep is None else part.keep.tobytes())
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
    )
