"""Writes random FLAME files of the right shapes for rehearsals: a smooth head-sized ellipsoid with joints."""

from pathlib import Path

import numpy as np

from synfiqa.actors.generation.face_model.flame_files import JOINTS, TEXTURE_SOURCE, TEXTURES, TRIANGLES, VERTICES
from synfiqa.schemas.model_card import ModelCard
from synfiqa.schemas.seeds import generator

_ROWS, _COLUMNS = 173, 29
"""Size of a closed grid with exactly FLAME's number of triangles; six vertices belong to none."""
_RADII = (0.075, 0.115, 0.09)
"""Radii of the ellipsoid in metres, about those of a head."""
_CELL = 32
"""Side in texels of a square of one random colour."""
_JOINTS = ((0, -0.06, 0), (0, -0.06, 0), (0, -0.02, 0.01), (0.03, 0.03, 0.06), (-0.03, 0.03, 0.06))
_MOVED = ((0, 0.06, 0), (0, -0.11, 0), (0, -0.06, 0.07), (0.03, 0.03, 0.085), (-0.03, 0.03, 0.085))
"""Positions of the joints, and of the points that each moves most, in metres."""


def write_random(card: ModelCard, folder: Path, seed: int) -> None:
    """Write `generic_model.npz`, `FLAME_texture.npz` and `head_template.obj`, the same for equal seeds."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "generic_model.npz", **random_model(seed))  # type: ignore[arg-type]
    random = generator(seed + 1)
    cells = (TEXTURE_SOURCE // _CELL,) * 2
    ones = np.ones((_CELL, _CELL, 1, 1), np.float32)
    mean = np.kron(random.uniform(120, 200, (*cells, 3)).astype(np.float32), ones[..., 0])
    directions = np.kron(random.normal(0, 4, (*cells, 3, TEXTURES)).round().astype(np.int8), ones.astype(np.int8))
    np.savez_compressed(folder / "FLAME_texture.npz", mean=mean, tex_dir=directions)
    (folder / "head_template.obj").write_text(_obj())


def random_model(seed: int) -> dict[str, np.ndarray]:
    """Return the arrays of `generic_model`: every basis is smooth over the surface, weights sum to 1."""
    random = generator(seed)
    unit = _unit_ball()
    template = (unit * _RADII).astype(np.float32)
    waves = np.stack([np.ones(VERTICES), *unit.T, *(unit**2).T, *(unit[:, [0, 1, 2]] * unit[:, [1, 2, 0]]).T])

    def smooth(count: int, spread: float) -> np.ndarray:
        return np.einsum("kv,kcb->vcb", waves, random.normal(0, spread, (len(waves), 3, count))).astype(np.float32)

    def closeness(places: tuple, reach: float) -> np.ndarray:
        return np.exp(-((np.linalg.norm(template[:, None] - np.array(places), axis=2) / reach) ** 2))

    moved = closeness(_MOVED, 0.04) + np.array([0.05, 0, 0, 0, 0])
    around = closeness(_JOINTS, 0.03).T
    return {
        "v_template": template,
        "shapedirs": smooth(400, 0.0008),
        "posedirs": smooth(36, 0.0008),
        "J_regressor": (around / around.sum(1, keepdims=True)).astype(np.float32),
        "weights": (moved / moved.sum(1, keepdims=True)).astype(np.float32),
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], range(JOINTS)], np.uint32),
        "f": _faces().astype(np.uint32),
    }


def _unit_ball() -> np.ndarray:
    polar = np.linspace(0.02, np.pi - 0.02, _ROWS)[:, None]
    around = np.linspace(-np.pi, np.pi, _COLUMNS, endpoint=False)[None]
    grid = np.stack(
        [np.sin(polar) * np.sin(around), np.cos(polar) + 0 * around, np.sin(polar) * np.cos(around)], axis=-1
    ).reshape(-1, 3)
    return np.concatenate([grid, np.zeros((VERTICES - len(grid), 3))])


def _quads(columns: int) -> tuple[np.ndarray, ...]:
    """Return the corners of every quad of the grid, whose rows have this many different columns."""
    row, column = np.mgrid[: _ROWS - 1, :_COLUMNS].reshape(2, -1)
    right = (column + 1) % columns
    return row * columns + column, row * columns + right, (row + 1) * columns + column, (row + 1) * columns + right


def _triangles(columns: int) -> np.ndarray:
    here, right, below, across = _quads(columns)
    return np.stack([here, below, right, right, below, across], axis=1).reshape(-1, 3)


def _faces() -> np.ndarray:
    faces = _triangles(_COLUMNS)
    assert faces.shape == (TRIANGLES, 3), "the grid has FLAME's number of triangles"
    return faces


def _obj() -> str:
    # The texture has one column more than the surface: its left and right edge meet at the back of the head.
    v, u = np.meshgrid(np.linspace(0.98, 0.02, _ROWS), np.linspace(0.02, 0.98, _COLUMNS + 1), indexing="ij")
    corners = np.stack([_faces(), _triangles(_COLUMNS + 1)], axis=-1) + 1
    return "\n".join(
        [
            *(f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in _unit_ball() * _RADII),
            *(f"vt {a:.6f} {b:.6f}" for a, b in zip(u.ravel(), v.ravel(), strict=True)),
            *("f " + " ".join(f"{vertex}/{texel}" for vertex, texel in face) for face in corners),
            "",
        ]
    )
