"""DECA's coarse encoder: maps a cropped face to the 236 parameters of a FLAME face (Feng 2021)."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from synfiqa.actors.generation.face_model.camera import CROP, FRAME, crop_transforms
from synfiqa.actors.generation.face_model.parameters import FaceParameters
from synfiqa.actors.imaging.preprocess import network_input, normalised
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import load_network
from synfiqa.actors.model_store.network import BatchedNetwork
from synfiqa.actors.nets.resnet_trunk import ResNet50Trunk
from synfiqa.actors.roles import CODE
from synfiqa.schemas.model_card import ModelCard


class DecaCoarse(nn.Module):
    """Maps crops (N, 3, 224, 224) in 0..1 to codes (N, 236): 25,848,108 parameters under the names of `E_flame`."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = ResNet50Trunk()
        self.layers = nn.Sequential(nn.Linear(2048, 1024), nn.ReLU(), nn.Linear(1024, sum(CODE.values())))

    def forward(self, x: Tensor) -> Tensor:
        """Return one code per crop."""
        *_, features = self.encoder.stages(x)
        return self.layers(features.mean(dim=(2, 3)))

    @staticmethod
    def rehearse(state: dict[str, Tensor]) -> None:
        """Adjust random weights to heads of ordinary size, near-frontal pose and visible light."""
        state["layers.2.weight"].mul_(0.05)
        bias = state["layers.2.bias"]
        camera, light = sum(list(CODE.values())[:4]), sum(list(CODE.values())[:5])
        bias[camera : camera + 3] = torch.tensor([8.5, 0.0, 0.0])
        bias[light : light + 3] = 3.0


class DecaEncoder:
    """`FaceEncoder` of FLAME parameters. The face is cropped as the released pipeline does."""

    def __init__(self, card: ModelCard, path: Path, running: Execution) -> None:
        """Load the weights of the card; UserError when they do not fit."""
        self.card = card
        self._network = BatchedNetwork(load_network(card, path), running)

    def encode(self, images: Sequence[np.ndarray], boxes: np.ndarray) -> FaceParameters:
        """Return one row per uint8 RGB image (H, W, 3) with the face in its box, (N, 4) x0, y0, x1, y1 in pixels."""
        crops, tform = face_crops(images, boxes)
        code = torch.from_numpy(self._network(crops, self._prepare))
        parts = dict(zip(CODE, code.split(list(CODE.values()), dim=1), strict=True))
        parts["light"] = parts["light"].unflatten(1, (9, 3))
        return FaceParameters(**parts, tform=torch.from_numpy(tform))

    def raw_answer(self, images: np.ndarray) -> np.ndarray:
        """Return float32 (N, 236) codes of whole images (N, H, W, 3), as if each were a crop."""
        return self._network(images, lambda chunk: network_input(chunk, self.card, self._network.running.device))

    def _prepare(self, crops: np.ndarray) -> Tensor:
        pixels = torch.from_numpy(crops).to(self._network.running.device).permute(0, 3, 1, 2)
        return normalised(pixels, self.card)


def face_crops(images: Sequence[np.ndarray], boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 crops (N, 224, 224, 3) in 0..255 and their `tform` (N, 3, 3); black outside the image.

    Images of any shape are first resized to 512 x 512 (bicubic), the target frame of `tform`.
    """
    forward, tform = crop_transforms(in_frame(boxes, [image.shape[:2] for image in images]))
    crops = np.empty((len(images), CROP, CROP, 3), np.float32)
    for crop, image, matrix in zip(crops, images, forward, strict=True):
        framed = np.asarray(Image.fromarray(image).resize((FRAME, FRAME), Image.Resampling.BICUBIC), np.float32)
        crop[...] = cv2.warpAffine(framed, matrix, (CROP, CROP), flags=cv2.INTER_LINEAR)
    return crops, tform


def in_frame(boxes: np.ndarray, sizes: Sequence[tuple[int, ...]]) -> np.ndarray:
    """Return boxes (N, 4) of images of (height, width) in pixels of the 512-pixel frame; pixel centres are integers."""
    stretch = np.array([[FRAME / width, FRAME / height] * 2 for height, width in sizes]).reshape(-1, 4)
    return (np.asarray(boxes, dtype=np.float64).reshape(-1, 4) + 0.5) * stretch - 0.5
