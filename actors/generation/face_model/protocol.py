"""Interfaces of face models and of face encoders."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from synfiqa.actors.generation.face_model.parameters import FaceParameters

TEXTURE_SIDE = 256
"""Texels per side of every albedo."""


@dataclass(frozen=True)
class Sizes:
    """Numbers of coefficients of a face model, by kind."""

    shape: int
    texture: int
    expression: int


class FaceModel(Protocol):
    """Maps coefficients to a surface and its colour. Rows do not depend on each other beyond float rounding."""

    sizes: Sizes
    faces: Tensor
    """(F, 3) int64 vertex indices, anticlockwise seen from outside with y up."""
    uv: Tensor
    """(U, 2) float32 texture coordinates: u to the right of the texture, v upwards, 0..1."""
    uv_faces: Tensor
    """(F, 3) int64 indices into `uv`, corner for corner those of `faces`."""

    def geometry(self, shape: Tensor, expression: Tensor, pose: Tensor) -> Tensor:
        """Return vertices (N, V, 3) in metres: x to image-right, y up, z towards the camera."""
        ...

    def albedo(self, texture: Tensor) -> Tensor:
        """Return display colours RGB (N, 3, 256, 256), nominally 0..1, first row on top."""
        ...


class FaceEncoder(Protocol):
    """Estimates the parameters of faces in images."""

    def encode(self, images: Sequence[np.ndarray], boxes: np.ndarray) -> FaceParameters:
        """Return one row per uint8 RGB image (H, W, 3) with the face in its box, (N, 4) x0, y0, x1, y1 in pixels."""
        ...
