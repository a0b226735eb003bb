"""Detects faces with RetinaFace: anchors, decoding and selection.

The constants are those of the published checkpoints. Their coordinates count from the left edge of the first pixel: the
anchor of the first cell lies at 4.0 and training mirrors x to width - x. Here pixel centres are integers, so half a
pixel is subtracted. The released pipeline does not subtract it and aligns everything half a pixel too far right and
down; `coordinates: pixel-edges` reproduces that. It also truncates the sides of the copy that it searches and scales
all coordinates back by the ratio of the heights: `sides: truncated`, which makes no difference for square images.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torchvision.ops import nms

from synfiqa.actors.face_analysis.mtcnn import Select, enlarged, foremost, most_prominent, searched
from synfiqa.actors.imaging.preprocess import normalised
from synfiqa.actors.model_store.card_files import arguments_of
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import load_network
from synfiqa.actors.model_store.network import BatchedNetwork
from synfiqa.actors.roles import Detection
from synfiqa.schemas.model_card import CardPart, ModelCard

ANCHORS = ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))
"""Per pyramid level, finest first: the stride of its cells and the sides of both anchors of a cell, in pixels."""
VARIANCES = 0.1, 0.2
"""Scale of encoded positions and of encoded logarithms of sizes."""
MIN_SIDE = 8
"""Smallest image side in pixels that is searched: one cell of the finest level."""


class RetinaFaceArguments(CardPart):
    """Card arguments of the selection; defaults as released, except for whole pixels, rounding and half a pixel."""

    select: Select = Field("probability", description="the face with the highest score, or the largest box")
    min_confidence: float = Field(0.7, ge=0, le=1, description="a face must score more")
    nms: float = Field(0.4, gt=0, le=1, description="of boxes that overlap more (IoU) only the best stays")
    decimals: int | None = Field(None, ge=0, description="round coordinates; released: 2")
    coordinates: Literal["pixel-centres", "pixel-edges"] = Field("pixel-centres", description="released: pixel-edges")
    sides: Literal["rounded", "truncated"] = Field(
        "rounded", description="whole pixels of the copy that is searched; released: truncated"
    )


class RetinaFaceDetector:
    """`Detector` on RetinaFace-R50. Images longer than the card's input size are searched at that size, others as is.

    Images of one size share micro-batches, whose size is constant, so that a result does not depend on its neighbours:
    on a CPU to the last bit, and between two sizes of micro-batch to 1e-6 of the outputs.
    """

    def __init__(self, card: ModelCard, path: Path, running: Execution) -> None:
        self.card = card
        self._rules = arguments_of(card, RetinaFaceArguments)
        self._network = BatchedNetwork(load_network(card, path), running)

    def detect(self, images: Sequence[np.ndarray]) -> list[Detection | None]:
        """Return the face of each uint8 RGB (H, W, 3) image, or None; boxes may reach over the edge of the image."""
        return [found[0] if found else None for found in self.faces(images)]

    def faces(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
        """Return every face of each uint8 RGB (H, W, 3) image, the most prominent first."""
        found: list[list[Detection]] = [[] for _ in images]
        truncated = self._rules.sides == "truncated"
        whole: Callable[[float], int] = int if truncated else round
        for indices, stack in searched(images, self.card.input_size, MIN_SIDE, whole):
            size = stack.shape[1:3]
            for index, outputs in zip(indices, self._search(stack), strict=True):
                full: tuple[float, ...] = images[index].shape[:2]
                if truncated:
                    full = full[0], size[1] * full[0] / size[0]
                for face in self._choose(outputs.astype(np.float64), anchors(*size)):
                    found[index].append(self._published(enlarged(face, size, full)))
        return found

    def raw_answer(self, images: np.ndarray) -> np.ndarray:
        """Return float32 (N, A, 15) score, encoded box and points per anchor, of images resized to the card's size."""
        side = self.card.input_size
        return self._search(np.stack([cv2.resize(image, (side, side)) for image in images]))

    def _search(self, images: np.ndarray) -> np.ndarray:
        return self._network(images, self._input, self._outputs)

    def _input(self, images: np.ndarray) -> Tensor:
        pixels = torch.from_numpy(images).to(self._network.running.device)
        return normalised(pixels.permute(0, 3, 1, 2).float(), self.card)

    def _outputs(self, pixels: Tensor) -> Tensor:
        boxes, logits, landmarks = self._network.module(pixels)
        score = torch.softmax(logits.float(), dim=-1)[..., 1:]
        return torch.cat([score, boxes.float(), landmarks.float()], dim=-1)

    def _choose(self, outputs: np.ndarray, cells: np.ndarray) -> list[Detection]:
        likely = outputs[:, 0] > self._rules.min_confidence
        scores, cells = outputs[likely, 0], cells[likely]
        # Bad weights can give infinite boxes, which have no area.
        with np.errstate(over="ignore", invalid="ignore"):
            boxes, landmarks = decode_boxes(outputs[likely, 1:5], cells), decode_landmarks(outputs[likely, 5:], cells)
        finite = np.isfinite(boxes).all(axis=1) & np.isfinite(landmarks).all(axis=(1, 2))
        scores, boxes, landmarks = scores[finite], boxes[finite], landmarks[finite]
        kept = nms(torch.from_numpy(boxes), torch.from_numpy(scores), self._rules.nms).numpy()
        if not len(kept):
            return []
        order = foremost(len(kept), most_prominent(boxes[kept], scores[kept], self._rules.select))
        return [Detection(float(scores[row]), boxes[row] - 0.5, landmarks[row] - 0.5) for row in kept[order]]

    def _published(self, face: Detection) -> Detection:
        shift = 0.5 if self._rules.coordinates == "pixel-edges" else 0.0
        box, landmarks = face.box + shift, face.landmarks + shift
        if self._rules.decimals is not None:
            box, landmarks = box.round(self._rules.decimals), landmarks.round(self._rules.decimals)
        return Detection(face.probability, box, landmarks)


@lru_cache(maxsize=64)
def anchors(height: int, width: int) -> np.ndarray:
    """Return the anchors (A, 3) of an image as centre x, y and side in pixels, edges at integers; read-only.

    They run over levels, rows, columns and sizes, like the outputs of `synfiqa.actors.nets.retinaface_r50`.
    """
    levels = []
    for stride, sides in ANCHORS:
        rows, columns = np.mgrid[: -(-height // stride), : -(-width // stride)].reshape(2, -1)
        centres = (np.stack([columns, rows], axis=1) + 0.5) * stride
        levels += [np.column_stack([centres.repeat(len(sides), axis=0), np.tile(sides, len(centres))])]
    whole = np.concatenate(levels).astype(np.float64)
    whole.setflags(write=False)
    return whole


def decode_boxes(encoded: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return (x0, y0, x1, y1) in pixels (N, 4) of encoded boxes (N, 4) at their anchors (N, 3)."""
    position, logarithm = VARIANCES
    centre = cells[:, :2] + encoded[:, :2] * position * cells[:, 2:]
    half = cells[:, 2:] * np.exp(encoded[:, 2:] * logarithm) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def decode_landmarks(encoded: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return five points x, y in pixels (N, 5, 2) of encoded landmarks (N, 10) at their anchors (N, 3)."""
    return cells[:, None, :2] + encoded.reshape(-1, 5, 2) * VARIANCES[0] * cells[:, None, 2:]
