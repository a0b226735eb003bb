"""Assigns procedural heads to images, where no licensed encoder is available."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from synfiqa.actors.face3d.shape.identity import sample_identity
from synfiqa.actors.generation.face_model.camera import crop_transforms
from synfiqa.actors.generation.face_model.deca import in_frame
from synfiqa.actors.generation.face_model.parameters import FaceParameters
from synfiqa.actors.generation.face_model.procedural import ProceduralFaceModel, code_of
from synfiqa.actors.generation.face_model.sh_light import light_of
from synfiqa.actors.model_store.execution import Execution
from synfiqa.schemas.model_card import ModelCard
from synfiqa.schemas.recipe import Light
from synfiqa.schemas.seeds import SEED_BITS

FRONTAL_CAMERA = (8.5, 0.0, 0.0)
"""A camera under which a head of ordinary size fills the crop."""


class ProceduralEncoder:
    """`FaceEncoder` by the image's digest, which is the seed of a procedural identity; the face is not measured.

    Equal images give equal heads and different images different ones, but no head resembles its image. Pose
    and expression are neutral; the crop transform is that of the box.
    """

    def __init__(self, card: ModelCard, path: Path, running: Execution) -> None:
        """Accept the arguments of every player, of which none is used."""

    def encode(self, images: Sequence[np.ndarray], boxes: np.ndarray) -> FaceParameters:
        """Return one row per uint8 RGB image (H, W, 3) with the face in its box, (N, 4) x0, y0, x1, y1 in pixels."""
        count = len(images)
        sizes = ProceduralFaceModel.sizes
        codes = [code_of(sample_identity(_seed(image))) for image in images]
        shapes = np.array([shape for shape, _ in codes], np.float32).reshape(count, sizes.shape)
        textures = np.array([texture for _, texture in codes], np.float32).reshape(count, sizes.texture)
        _, tform = crop_transforms(in_frame(boxes, [image.shape[:2] for image in images]))
        return FaceParameters(
            shape=torch.from_numpy(shapes),
            texture=torch.from_numpy(textures),
            expression=torch.zeros(count, sizes.expression),
            pose=torch.zeros(count, 6),
            camera=torch.tensor([FRONTAL_CAMERA]).expand(count, -1),
            light=torch.from_numpy(light_of(Light())).expand(count, -1, -1),
            tform=torch.from_numpy(tform),
        )


def _seed(image: np.ndarray) -> int:
    text = f"{image.shape}".encode() + np.ascontiguousarray(image).tobytes()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> (64 - SEED_BITS)
