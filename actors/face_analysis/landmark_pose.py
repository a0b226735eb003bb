"""Head pose from five landmarks: weak-perspective fit of a mean five-point face."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from synfiqa.actors.imaging.rotation import euler_angles

if TYPE_CHECKING:
    from synfiqa.actors.model_store.execution import Execution
    from synfiqa.schemas.model_card import ModelCard

MEAN_FACE = np.array([[-0.5, 0.0, 0.0], [0.5, 0.0, 0.0], [0.0, -0.70, 0.68], [-0.4, -1.1, -0.05], [0.4, -1.1, -0.05]])
"""(5, 3) eyes, nose tip, mouth corners of an adult in units of the eye distance: x image-right, y up, z to camera."""

MEAN_FACE.setflags(write=False)

_ITERATIONS = 12


class LandmarkPose:
    """`PoseMeter` by the five landmarks alone, without weights or pixels."""

    def __init__(self, card: ModelCard, path: Path, running: Execution) -> None:
        """Accept the arguments of every player, of which none is used."""

    def pose(self, images: Sequence[np.ndarray], landmarks: np.ndarray | None) -> np.ndarray:
        """Return float64 (N, 3) yaw, pitch, roll in degrees; NaN for faces with NaN among their landmarks (N, 5, 2)."""
        if landmarks is None:
            raise ValueError("landmark-pose measures landmarks: call it with those of a detector")
        points = np.asarray(landmarks, dtype=np.float64)
        angles = np.full((len(points), 3), np.nan)
        known = ~np.isnan(points).any(axis=(1, 2))
        angles[known] = pose_from_landmarks(points[known])
        return angles


def pose_from_landmarks(landmarks: np.ndarray) -> np.ndarray:
    """Return yaw, pitch, roll in degrees, float64 (N, 3), of landmarks (N, 5, 2) in pixels (y down).

    Signs and order of rotation are those of `synfiqa.schemas.recipe.Pose`; yaw lies in +-180, pitch in +-90. Near
    profile pitch and roll are one motion in the image, so only yaw is well determined there. One mean face for all
    people costs a few degrees of yaw and more of pitch. Raises ValueError on points that are not finite or
    coincide.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.ndim != 3 or points.shape[1:] != (5, 2):
        raise ValueError(f"landmarks must have shape (N, 5, 2), not {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError("landmarks must be finite numbers")
    image = (points - points.mean(axis=1, keepdims=True)) * [1, -1]
    size = np.sqrt((image**2).sum(axis=(1, 2)))
    if (size <= 1e-9 * np.abs(points).max(axis=(1, 2), initial=1.0)).any():
        raise ValueError("landmarks of a face coincide, so they determine no pose")
    return euler_angles(_fit_rotation(image / size[:, None, None]))


def _fit_rotation(image: np.ndarray) -> np.ndarray:
    """Minimise |scale R_2 face - image|^2 over scale and rotation for centred image points (N, 5, 2)."""
    face = MEAN_FACE - MEAN_FACE.mean(axis=0)
    # Gauss-Newton starts at the unconstrained affine fit, made a scaled rotation by its singular vectors.
    affine = image.transpose(0, 2, 1) @ np.linalg.pinv(face).T
    left, values, right = np.linalg.svd(affine, full_matrices=False)
    first, second = (left @ right).transpose(1, 0, 2)
    rotation = np.stack([first, second, np.cross(first, second)], axis=1)
    scale = values.mean(axis=1)
    for _ in range(_ITERATIONS):
        turned = face @ rotation.transpose(0, 2, 1)
        x, y, z = np.moveaxis(scale[:, None, None] * turned, -1, 0)
        zero = np.zeros_like(x)
        # d(x, y) for small rotations about the x, y, z axes of the camera and a small relative scale.
        jacobian = np.stack([np.stack([zero, z, -y, x], -1), np.stack([-z, zero, x, y], -1)], axis=2)
        jacobian = jacobian.reshape(len(image), 10, 4)
        residual = (image - np.stack([x, y], axis=-1)).reshape(len(image), 10, 1)
        normal = jacobian.transpose(0, 2, 1) @ jacobian
        damping = 1e-3 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(4)
        step = np.linalg.solve(normal + damping, jacobian.transpose(0, 2, 1) @ residual)[..., 0]
        rotation = _rodrigues(step[:, :3]) @ rotation
        scale = scale * np.exp(np.clip(step[:, 3], -1, 1))
    return rotation


def _rodrigues(vector: np.ndarray) -> np.ndarray:
    angle = np.linalg.norm(vector, axis=1)[:, None, None]
    x, y, z = vector.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(-1, 3, 3)
    return np.eye(3) + np.sinc(angle / np.pi) * cross + 0.5 * np.sinc(angle / (2 * np.pi)) ** 2 * cross @ cross
