"""Transforms faces from world to crop and frame coordinates; defines the axes of this package.

World: metres; x to image-right, y up, z towards the camera; the face looks along +z. Positive head pose turns by the
right-hand rule: about x the nose goes down, about y to image-right, about z the head tilts anticlockwise. A positive
jaw angle about x opens the mouth.

Crop: x to image-right, y down, z away from the camera, all scaled by the camera; [-1, 1] spans the 224-pixel square
of the encoder's input, x = -1 at its pixel 0 and +1 at 224.

Frame: x to image-right, y down, [-1, 1] over the 512-pixel image; z is the distance from the camera, smaller is
nearer. Pixel (row r, column c) of a drawing with side S samples x = (2c + 1) / S - 1, y = (2r + 1) / S - 1.
"""

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.nn import functional

from synfiqa.actors.imaging.rotation import rotation_matrix

CROP = 224
"""Side in pixels of the encoder's input."""
FRAME = 512
"""Side in pixels of the frame, the target of crop transforms."""
DISTANCE = 10.0
"""Added to z, so that every vertex lies in front of the image plane."""


def to_crop(vertices: Tensor, camera: Tensor) -> Tensor:
    """Return world vertices (N, V, 3) in crop coordinates by the weak perspective of cameras (N, 3)."""
    scale, shift = camera[:, None, :1], camera[:, None, 1:]
    moved = torch.cat([vertices[..., :2] + shift, vertices[..., 2:]], dim=-1) * scale
    return moved * moved.new_tensor([1.0, -1.0, -1.0])


def to_frame(points: Tensor, tform: Tensor) -> Tensor:
    """Return crop coordinates (N, V, 3) in the frame, by crop transforms (N, 3, 3) for row vectors."""
    pixels = (points[..., :2] * 0.5 + 0.5) * CROP
    # Written out, because the rounding of a batched product of K = 3 may depend on the number of rows.
    x, y = pixels[..., :1], pixels[..., 1:]
    moved = x * tform[:, None, 0, :2] + y * tform[:, None, 1, :2] + tform[:, None, 2, :2]
    return torch.cat([moved / FRAME * 2 - 1, points[..., 2:] + DISTANCE], dim=-1)


def triangles_around(faces: Tensor, vertices: int) -> Tensor:
    """Return (V, K) the triangles around every vertex of faces (F, 3), in rising order and filled up with F."""
    owner, order = faces.flatten().sort(stable=True)
    counts = torch.bincount(owner, minlength=vertices)
    place = torch.arange(len(owner), device=faces.device) - (counts.cumsum(0) - counts)[owner]
    table = faces.new_full((vertices, int(counts.max())), len(faces))
    table[owner, place] = order // 3
    return table


def vertex_normals(vertices: Tensor, faces: Tensor, around: Tensor | None = None) -> Tensor:
    """Return unit normals (N, V, 3) of world vertices: sums over the triangles around, each weighted by its area.

    `around` is the table of `triangles_around`, if it exists already.
    """
    if around is None:
        around = triangles_around(faces, vertices.shape[1])
    corners = vertices[:, faces]
    across = torch.linalg.cross(corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0])
    # Gathered and summed in a fixed order: added up by index_add_, sums differ from run to run on a GPU.
    padded = functional.pad(across, (0, 0, 0, 1))
    sums = padded[:, around[:, 0]]
    for column in around.T[1:]:
        sums = sums + padded[:, column]
    return functional.normalize(sums, dim=-1, eps=1e-6)


def rotations(axis_angle: Tensor) -> Tensor:
    """Return rotation matrices (..., 3, 3) of axis-angle vectors (..., 3) in radians; zero is exactly the identity."""
    angle = axis_angle.norm(dim=-1)[..., None, None]
    safe = angle.clamp(min=1e-8)
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    across = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    # sin(a / 2) keeps the precision that 1 - cos(a) loses at small angles.
    twice = 2 * (torch.sin(safe / 2) / safe) ** 2
    return identity + torch.sin(safe) / safe * across + twice * (across @ across)


def head_axis_angle(pose: np.ndarray) -> np.ndarray:
    """Return axis-angle vectors (N, 3) in radians of poses (N, 3): yaw, pitch, roll in degrees (`recipe.Pose`)."""
    return Rotation.from_matrix(rotation_matrix(pose)).as_rotvec()


def crop_transforms(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the crop matrices of boxes (N, 4) x0, y0, x1, y1 in frame pixels, and the `tform` of the parameters.

    The first is float64 (N, 2, 3), from frame to crop pixels for column vectors; the second float32 (N, 3, 3). The
    crop is a square of 1.25 times the box's mean side, 0.12 of that side lower than the box; its edges are at
    the crop's pixels 0 and 223.
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
        raise ValueError(f"boxes must be finite numbers (N, 4), not {boxes.shape}")
    side = ((boxes[:, 2] - boxes[:, 0]) + (boxes[:, 3] - boxes[:, 1])) / 2
    size = np.floor(1.25 * side)
    if (size < 1).any():
        raise ValueError("a box covers no pixel, so that nothing can be cropped")
    corner = (boxes[:, :2] + boxes[:, 2:]) / 2 - size[:, None] / 2
    corner[:, 1] += 0.12 * side
    scale = (CROP - 1) / size
    forward, back = np.zeros((len(boxes), 2, 3)), np.zeros((len(boxes), 3, 3), np.float32)
    forward[:, 0, 0] = forward[:, 1, 1] = scale
    forward[:, :, 2] = -scale[:, None] * corner
    back[:, 0, 0] = back[:, 1, 1] = 1 / scale
    back[:, 2, :2] = corner
    back[:, 2, 2] = 1
    return forward, back
