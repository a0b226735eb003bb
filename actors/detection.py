"""Face detection with the MTCNN weights that come inside facenet-pytorch: box, probability and five landmarks."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN

from actors.roles import Detection

Select = Literal["largest", "probability"]
MIN_SIDE = 20
"""Smallest image side in pixels that can hold a face for MTCNN."""


class MtcnnDetector:
    """`Detector` on MTCNN with its default thresholds (0.6, 0.7, 0.7) and bundled weights.

    `select` says which of several faces is returned. Images whose long side exceeds `max_side` pixels are searched at
    that size; coordinates come back in pixels of the image given. Images of one call are searched in micro-batches of
    equal size in the order given. Beyond float rounding a result does not depend on its micro-batch; with
    `micro_batch=1`, the default, it does not depend on it at all.
    """

    def __init__(
        self,
        device: str = "cpu",
        select: Select = "largest",
        max_side: int = 640,
        micro_batch: int = 1,
    ) -> None:
        if max_side < MIN_SIDE or micro_batch < 1:
            raise ValueError(f"max_side must be at least {MIN_SIDE} and micro_batch at least 1")
        self._select = select
        self._max_side = max_side
        self._micro_batch = micro_batch
        self._network = MTCNN(keep_all=True, device=torch.device(device))

    def detect(self, images: Sequence[np.ndarray]) -> list[Detection | None]:
        """Return the most prominent face of each uint8 RGB (H, W, 3) image, or None when there is none."""
        found: list[Detection | None] = [None] * len(images)
        by_shape: dict[tuple[int, int], list[int]] = defaultdict(list)
        shrunk = [self._shrink(image) for image in images]
        for index, image in enumerate(shrunk):
            if min(image.shape[:2]) >= MIN_SIDE:
                by_shape[(image.shape[0], image.shape[1])].append(index)
        for indices in by_shape.values():
            for start in range(0, len(indices), self._micro_batch):
                chunk = indices[start : start + self._micro_batch]
                boxes, probabilities, points = self._network.detect(
                    np.stack([shrunk[index] for index in chunk]), landmarks=True
                )
                for row, index in enumerate(chunk):
                    face = self._choose(boxes[row], probabilities[row], points[row])
                    found[index] = face and _enlarge(face, shrunk[index], images[index])
        return found

    def _shrink(self, image: np.ndarray) -> np.ndarray:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"detect takes uint8 RGB images of shape (H, W, 3), not {image.dtype} {image.shape}")
        height, width = image.shape[:2]
        scale = self._max_side / max(height, width)
        if scale >= 1:
            return image
        size = max(1, round(width * scale)), max(1, round(height * scale))
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA)

    def _choose(
        self, boxes: np.ndarray | None, probabilities: np.ndarray, points: np.ndarray | None
    ) -> Detection | None:
        # facenet-pytorch hands out None for an image without faces, and arrays of dtype object otherwise.
        if boxes is None or points is None or len(boxes) == 0:
            return None
        boxes = np.asarray(boxes, dtype=np.float64)
        scores = np.asarray(probabilities, dtype=np.float64)
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        best = int(np.argmax(area if self._select == "largest" else scores))
        return Detection(float(scores[best]), boxes[best], np.asarray(points[best], dtype=np.float64))


def _enlarge(face: Detection, searched: np.ndarray, image: np.ndarray) -> Detection:
    """Map a detection from the searched copy to the image; both have pixel centres at integer coordinates."""
    if searched.shape == image.shape:
        return face
    scale = np.array([image.shape[1] / searched.shape[1], image.shape[0] / searched.shape[0]])
    box = (face.box.reshape(2, 2) + 0.5) * scale - 0.5
    return Detection(face.probability, box.reshape(4), (face.landmarks + 0.5) * scale - 0.5)
