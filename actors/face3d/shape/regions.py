"""Assigns the quads of the head grid to face regions, for exact occluded shares by region."""

import numpy as np

from synfiqa.actors.face3d.shape.head import FaceMeasures
from synfiqa.schemas.rows import REGIONS

_INDEX = {name: index for index, name in enumerate(REGIONS)}


def face_regions(grid: np.ndarray, m: FaceMeasures, face_quads: np.ndarray) -> np.ndarray:
    """Return int8 (ROWS - 1, COLUMNS - 1): each quad's index in `REGIONS`, -1 outside the face skin.

    Brows count as forehead, temples as cheeks; the mouth begins at the nose base. Left is image-left of a frontal face.
    """
    x, y = np.moveaxis((grid[:-1, :-1] + grid[1:, :-1] + grid[:-1, 1:] + grid[1:, 1:])[..., :2] / 4, -1, 0)
    across, left = np.abs(x), x < 0
    brow = m.brow_y - m.brow_thick
    mouth_end = m.mouth_y - m.lip_low - 0.06
    # The nose is a wedge from between the eyes down to its wings.
    down = np.clip((m.nose_top - y) / (m.nose_top - m.nose_base), 0, 1)
    region = np.where(left, _INDEX["left_cheek"], _INDEX["right_cheek"])
    region[(y < mouth_end) & (across < 0.36)] = _INDEX["chin"]
    region[(y >= mouth_end) & (y < m.nose_base) & (across < 1.2 * m.mouth_w)] = _INDEX["mouth"]
    eye = (y >= m.eye_y - 0.17) & (y < brow) & (np.abs(across - m.eye_x) < m.eye_w + 0.06)
    region[eye] = np.where(left, _INDEX["left_eye"], _INDEX["right_eye"])[eye]
    region[(y >= m.nose_base - 0.03) & (y < brow) & (across < 0.10 + (m.nose_w - 0.07) * down)] = _INDEX["nose"]
    region[y >= brow] = _INDEX["forehead"]
    return np.where(face_quads, region, -1).astype(np.int8)
