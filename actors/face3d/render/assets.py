"""Builds the data that all images of an identity share: geometry, expression fields, hair, texture."""

from dataclasses import dataclass

import numpy as np

from synfiqa.actors.face3d.paint.canvas import to_linear, upsample
from synfiqa.actors.face3d.paint.features import iris_colour, iris_radius
from synfiqa.actors.face3d.render.shadow import sky_share
from synfiqa.actors.face3d.render.texture import paint_texture, skin_colour
from synfiqa.actors.face3d.shape.expression import expression_basis
from synfiqa.actors.face3d.shape.face_points import FacePoints, face_points
from synfiqa.actors.face3d.shape.head import (
    COLUMNS,
    LIP_ROW,
    ROWS,
    FaceMeasures,
    column_angles,
    measure,
    neutral_grid,
    row_of,
)
from synfiqa.actors.face3d.shape.identity import Identity
from synfiqa.actors.face3d.shape.mesh import Part, grid_normals
from synfiqa.actors.face3d.shape.regions import face_regions
from synfiqa.actors.face3d.wear.body import ears
from synfiqa.actors.face3d.wear.hair import hanging_grid, shell_thickness, style_of

_SKY_FLOOR, _SKY_FULL = 0.4, 0.75  # light kept without any sky; visible share of the sky from which all light is kept


@dataclass(frozen=True)
class Assets:
    """Geometry, texture and landmark positions of one identity."""

    measures: FaceMeasures
    grid: np.ndarray  # (ROWS, COLUMNS, 3) neutral head
    basis: np.ndarray  # expression displacements
    normals: np.ndarray  # neutral normals
    uv: np.ndarray  # (ROWS, COLUMNS, 2)
    hair: np.ndarray | None  # (ROWS, COLUMNS) shell thickness
    hanging: np.ndarray | None
    ears: list[Part]
    skin: np.ndarray  # (3,) linear mean skin
    texture: np.ndarray
    iris: np.ndarray  # (4,) linear colour and radius in head units
    landmark_grid: np.ndarray  # (5, 2) fractional (row, column) of the landmarks
    face_points: FacePoints  # places of the 68 points of the iBUG mark-up
    bare_quads: np.ndarray  # (ROWS - 1, COLUMNS - 1) bool, quads not hidden under hair
    regions: np.ndarray  # (ROWS - 1, COLUMNS - 1) int8, region of the face of each quad, -1 for none


def _locate(grid: np.ndarray, x: float, y: float, rows: slice) -> tuple[float, float]:
    """Return the fractional grid position where the front surface has the given x, y (four Newton-like steps)."""
    window = grid[rows]
    front = np.cos(column_angles())[None, :] > 0.2
    distance = np.where(front, (window[..., 0] - x) ** 2 + (window[..., 1] - y) ** 2, np.inf)
    r, c = np.unravel_index(int(distance.argmin()), distance.shape)
    row, col = float(r + rows.start), float(c)
    for _ in range(4):
        r0, c0 = int(np.clip(row, 0, ROWS - 2)), int(np.clip(col, 0, COLUMNS - 2))
        fr, fc = row - r0, col - c0
        p = grid[r0 : r0 + 2, c0 : c0 + 2, :2]
        top, bottom = p[0, 0] * (1 - fc) + p[0, 1] * fc, p[1, 0] * (1 - fc) + p[1, 1] * fc
        here = top * (1 - fr) + bottom * fr
        d_row, d_col = bottom - top, (p[0, 1] - p[0, 0]) * (1 - fr) + (p[1, 1] - p[1, 0]) * fr
        jacobian = np.stack((d_row, d_col), 1)
        step = np.linalg.solve(jacobian + 1e-6 * np.eye(2), np.array([x, y]) - here)
        row = float(np.clip(row + np.clip(step[0], -1, 1), rows.start, rows.stop - 1))
        col = float(np.clip(col + np.clip(step[1], -1, 1), 0, COLUMNS - 1))
    return row, col


def _sky_over_texture(
    grid: np.ndarray, normals: np.ndarray, hair: np.ndarray | None, hanging: np.ndarray | None
) -> np.ndarray:
    """Return the factor (SIZE, SIZE) of ambient occlusion of the skin by nose, brow, chin and hair."""
    front = np.abs(column_angles()) < 2.0  # the back of the head does not shade the face
    casters = [Part("head", np.ascontiguousarray(grid[row_of("upper") :, front]))]
    if hair is not None:
        last = row_of("under")
        outer = grid[:last] + normals[:last] * np.maximum(hair[:last], 0)[..., None]
        casters.append(Part("hair", outer[::2, ::2].astype(np.float32)))
    if hanging is not None:
        casters.append(Part("hair", np.ascontiguousarray(hanging[::2, ::2])))
    share = sky_share(casters, grid.reshape(-1, 3), normals.reshape(-1, 3)).reshape(grid.shape[:2])
    return upsample(np.clip(_SKY_FLOOR + (1 - _SKY_FLOOR) * share / _SKY_FULL, 0, 1))


def build_assets(identity: Identity) -> Assets:
    """Build the assets of an identity in about 0.1 CPU-seconds, dominated by the texture."""
    m = measure(identity)
    grid = neutral_grid(identity)
    eye_rows = slice(row_of("brow"), row_of("cheek") + 1)
    nose_rows = slice(row_of("cheek"), row_of("subnasal") + 1)
    nose_column = grid[nose_rows, :, 2]
    tip_row, tip_col = np.unravel_index(int(nose_column.argmax()), nose_column.shape)
    lip = grid[LIP_ROW]
    middle = COLUMNS // 2
    corners = [
        float(np.interp(side * m.mouth_w, lip[middle - 20 : middle + 21, 0], np.arange(middle - 20, middle + 21)))
        for side in (-1, 1)
    ]
    landmarks = np.array(
        [
            _locate(grid, -m.eye_x, m.eye_y - m.eye_asym, eye_rows),
            _locate(grid, m.eye_x, m.eye_y + m.eye_asym, eye_rows),
            (tip_row + nose_rows.start, tip_col),
            (LIP_ROW + 0.5, corners[0]),
            (LIP_ROW + 0.5, corners[1]),
        ],
        np.float32,
    )
    u = np.linspace(-1, 1, COLUMNS, dtype=np.float32)
    v = np.linspace(-1, 1, ROWS, dtype=np.float32)
    uv = np.stack(np.meshgrid(u, v), -1)
    angle = np.abs(column_angles())
    face_quads = np.zeros((ROWS - 1, COLUMNS - 1), bool)
    inside = (angle[:-1] < 1.35) & (angle[1:] < 1.35)
    face_quads[row_of("hairline") : row_of("chin_bottom"), inside] = True
    style = style_of(identity)
    skin = to_linear(skin_colour(identity))
    bald = style.recede > 5 or identity.attributes["hair_style"] == "buzz"
    hair = None if bald else shell_thickness(identity, grid)
    bare_quads = np.ones_like(face_quads)
    if hair is not None:  # skin under thick hair is never visible; skipping it saves a fifth of the time
        thin = hair < 0.03
        bare_quads = thin[:-1, :-1] | thin[1:, :-1] | thin[:-1, 1:] | thin[1:, 1:]
    normals = grid_normals(grid, True)
    hanging = hanging_grid(identity, grid, normals, hair)
    texture = paint_texture(identity, grid, m)
    texture[0:6] *= _sky_over_texture(grid, normals, hair, hanging)
    return Assets(
        measures=m,
        grid=grid,
        basis=expression_basis(grid, m),
        normals=normals,
        uv=uv,
        hair=hair,
        bare_quads=bare_quads,
        hanging=hanging,
        ears=[] if style.cover_ears else ears(identity, grid, skin),
        skin=skin,
        texture=texture,
        iris=np.append(iris_colour(identity), iris_radius(identity)).astype(np.float32),
        landmark_grid=landmarks,
        face_points=face_points(grid, m),
        regions=face_regions(grid, m, face_quads),
    )
