"""Detects faces with MTCNN (facenet-pytorch); holds the helpers that all detectors share."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN
from pydantic import Field

from synfiqa.actors.model_store.card_files import arguments_of
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.state import fit_state, read_state
from synfiqa.actors.roles import Detection
from synfiqa.schemas.model_card import CardPart, ModelCard, StateRules

if TYPE_CHECKING:
    from synfiqa.actors.face_analysis.photo_search.cascade import Cascade

Select = Literal["largest", "probability"]
MIN_SIDE = 20
"""Smallest image side in pixels that can hold a face for MTCNN."""


class MtcnnArguments(CardPart):
    """Card arguments of the search; the defaults are those of `MtcnnDetector`."""

    select: Select = "largest"
    micro_batch: int = Field(1, ge=1, description="images per search; above 1, last float bits depend on neighbours")


def mtcnn(card: ModelCard, path: Path, running: Execution) -> "MtcnnDetector":
    """Return the detector of a card; weights are `pnet.pt`, `rnet.pt`, `onet.pt` in the folder.

    It always computes in float32 and in its own micro-batches, because the thresholds of the cascade on three networks
    amplify rounding, and results must be those of the embedded detector to the last bit.
    """
    arguments = arguments_of(card, MtcnnArguments)
    folder = None if path == Path() else path
    return MtcnnDetector(running.device, arguments.select, card.input_size, arguments.micro_batch, folder)


_LANDMARK_SHIFT = 1.0
"""Pixels by which facenet-pytorch puts landmarks too far right and down: it adds them to the exact corner of the box
but crops the face at whole pixels below (half a pixel on average), and counts from a pixel's edge, not its centre."""


class MtcnnDetector:
    """`Detector` on MTCNN with its default thresholds (0.6, 0.7, 0.7); weights from a folder or the package.

    `select` chooses one of several faces. Images whose long side exceeds `max_side` pixels are searched at that size;
    coordinates come back in pixels of the image given. Images of one call are searched in micro-batches of
    equal size in the order given. Beyond float rounding a result does not depend on its micro-batch; with
    `micro_batch=1`, the default, it does not depend on it at all.
    """

    def __init__(
        self,
        device: str = "cpu",
        select: Select = "largest",
        max_side: int = 640,
        micro_batch: int = 1,
        folder: Path | None = None,
    ) -> None:
        if max_side < MIN_SIDE or micro_batch < 1:
            raise ValueError(f"max_side must be at least {MIN_SIDE} and micro_batch at least 1")
        self._select: Select = select
        self._max_side = max_side
        self._micro_batch = micro_batch
        self._network = MTCNN(keep_all=True, device=torch.device(device))
        self._cascade: Cascade | None = None
        if folder is not None:
            for name in ("pnet", "rnet", "onet"):
                state = read_state(folder / f"{name}.pt")
                fit_state(getattr(self._network, name), state, StateRules(), f"{folder / name}.pt")

    def detect(self, images: Sequence[np.ndarray]) -> list[Detection | None]:
        """Return the most prominent face of each uint8 RGB (H, W, 3) image, or None when there is none."""
        return [found[0] if found else None for found in self.faces(images)]

    def faces(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
        """Return every face of each uint8 RGB (H, W, 3) image, the most prominent first."""
        found: list[list[Detection]] = [[] for _ in images]
        for indices, stack in searched(images, self._max_side, MIN_SIDE):
            for start in range(0, len(indices), self._micro_batch):
                chunk = stack[start : start + self._micro_batch]
                boxes, probabilities, points = self._network.detect(chunk, landmarks=True)
                for row, index in enumerate(indices[start : start + self._micro_batch]):
                    for face in self._faces(boxes[row], probabilities[row], points[row]):
                        found[index].append(enlarged(face, chunk.shape[1:3], images[index].shape[:2]))
        return found

    def faces_of_size(self, images: Sequence[np.ndarray], least: float, most: float) -> list[list[Detection]]:
        """Return the faces of about `least` to `most` pixels of each uint8 RGB (H, W, 3) image, the largest first.

        Images are searched at those sizes alone, in the way of photographs (`photo_search`), which is several times as
        fast; a result does not depend on other images.
        """
        from synfiqa.actors.face_analysis.photo_search.cascade import Cascade
        from synfiqa.actors.face_analysis.photo_search.proposals import SearchedPicture

        if self._cascade is None:
            self._cascade = Cascade(str(self._network.device), self._network)
        found: list[list[Detection]] = []
        for image in images:
            faces = self._cascade.search(SearchedPicture(image), least, most)
            area = (faces.boxes[:, 2:] - faces.boxes[:, :2]).prod(axis=1)
            boxes, landmarks = faces.boxes.astype(np.float64), faces.landmarks.astype(np.float64) - _LANDMARK_SHIFT
            order = np.argsort(-area, kind="stable")
            found.append([Detection(float(faces.probability[row]), boxes[row], landmarks[row]) for row in order])
        return found

    @torch.inference_mode()
    def raw_answer(self, images: np.ndarray) -> np.ndarray:
        """Return float32 (N, 17) face probabilities of the three networks, box and points, of images as one crop."""
        probabilities, places = [], []
        for network, side in ((self._network.onet, 48), (self._network.rnet, 24), (self._network.pnet, 12)):
            small = np.stack([cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA) for image in images])
            pixels = torch.from_numpy(small).permute(0, 3, 1, 2).float().to(self._network.device)
            *found, scores = network((pixels - 127.5) / 128)
            probabilities.append(scores.reshape(len(images), 2)[:, 1:])
            places += [part.reshape(len(images), -1) for part in found] if side == 48 else []
        return torch.cat([*probabilities, *places], dim=1).cpu().numpy()

    def _faces(self, boxes: np.ndarray | None, probabilities: np.ndarray, points: np.ndarray | None) -> list[Detection]:
        # facenet-pytorch returns None for an image without faces, and arrays of dtype object otherwise.
        if boxes is None or points is None or len(boxes) == 0:
            return []
        boxes, scores = np.asarray(boxes, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
        landmarks = np.asarray(points, dtype=np.float64) - _LANDMARK_SHIFT
        order = foremost(len(boxes), most_prominent(boxes, scores, self._select))
        return [Detection(float(scores[row]), boxes[row], landmarks[row]) for row in order]


def searched(
    images: Sequence[np.ndarray], max_side: int, min_side: int, whole: Callable[[float], int] = round
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Yield the images grouped by size, as indices and uint8 (n, H, W, 3), shrunk to at most `max_side`.

    `whole` makes whole pixels of the sides. Images with a side below `min_side` are left out. Raises ValueError for
    anything but uint8 RGB images.
    """
    small = [_shrink(image, max_side, whole) for image in images]
    by_shape: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, image in enumerate(small):
        if min(image.shape[:2]) >= min_side:
            by_shape[image.shape].append(index)
    for indices in by_shape.values():
        yield indices, np.stack([small[index] for index in indices])


def enlarged(face: Detection, small: tuple[float, ...], full: tuple[float, ...]) -> Detection:
    """Map a detection from a searched copy of (height, width) to the image; pixel centres are integers in both."""
    if small == full:
        return face
    scale = np.array([full[1] / small[1], full[0] / small[0]])
    box = (face.box.reshape(2, 2) + 0.5) * scale - 0.5
    return Detection(face.probability, box.reshape(4), (face.landmarks + 0.5) * scale - 0.5)


def most_prominent(boxes: np.ndarray, scores: np.ndarray, select: Select) -> int:
    """Return the index of the largest of boxes (N, 4), or of the one with the highest score."""
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return int(np.argmax(area if select == "largest" else scores))


def foremost(count: int, first: int) -> list[int]:
    """Return 0 .. count - 1 with `first` brought to the front."""
    return [first, *(index for index in range(count) if index != first)]


def _shrink(image: np.ndarray, max_side: int, whole: Callable[[float], int]) -> np.ndarray:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"detect takes uint8 RGB images of shape (H, W, 3), not {image.dtype} {image.shape}")
    return shrunk(image, max_side, whole)


def shrunk(image: np.ndarray, size: int, whole: Callable[[float], int] = round) -> np.ndarray:
    """Return the image with its long side shrunk to `size` pixels, or as it is when it is no larger.

    `whole` makes whole pixels of the sides.
    """
    height, width = image.shape[:2]
    if max(height, width) <= size:
        return image
    scale = size / max(height, width)
    target = max(1, whole(width * scale)), max(1, whole(height * scale))
    return cv2.resize(image, target, interpolation=cv2.INTER_AREA)
