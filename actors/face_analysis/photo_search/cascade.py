"""The cascade of MTCNN on one picture: proposals at all sizes, their refinement, and boxes with landmarks.

Steps, thresholds and whole-pixel rounding are those of facenet-pytorch, so that both find the same faces.
"""

from dataclasses import dataclass

import numpy as np
import torch
from facenet_pytorch import MTCNN
from torchvision.ops import nms

from synfiqa.actors.face_analysis.photo_search.area_means import AreaMeans
from synfiqa.actors.face_analysis.photo_search.networks import OutputNetwork, ProposalNetwork, RefinementNetwork
from synfiqa.actors.face_analysis.photo_search.proposals import SearchedPicture, proposals, scales

REFINED, COMPLETE = 0.7, 0.7
"""Least probabilities of a face after the second network and after the third."""
_ROWS = 512
"""Crops in one call of a network."""


@dataclass(frozen=True)
class FoundFaces:
    """Faces of one picture, N of them: probability (N,), boxes (N, 4), landmarks (N, 5, 2) x, y in pixels.

    `seen` (N, 4) are the squares that the last network was given, which may leave the picture; it then saw the part
    inside, stretched. All count from 1 at the centre of the first pixel.
    """

    probability: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    seen: np.ndarray

    def __len__(self) -> int:
        return len(self.probability)

    def take(self, rows: np.ndarray) -> "FoundFaces":
        """Return some of the faces, by a mask or by indices."""
        return FoundFaces(self.probability[rows], self.boxes[rows], self.landmarks[rows], self.seen[rows])


class Cascade:
    """The three networks on one device, with the weights of facenet-pytorch's package or those of `network`."""

    def __init__(self, device: str = "cpu", network: MTCNN | None = None) -> None:
        network = network or MTCNN(keep_all=True, device=torch.device(device))
        self._device = torch.device(device)
        self._first = ProposalNetwork(network.pnet)
        self._second = RefinementNetwork(network.rnet)
        self._third = OutputNetwork(network.onet)

    @torch.inference_mode()
    def search(
        self, picture: SearchedPicture, min_face: float, max_face: float | None = None, left_out: int = 0
    ) -> FoundFaces:
        """Find the faces of about `min_face` to `max_face` pixels in a picture.

        `left_out` finest scales are left out; a later search of the same picture without them goes on from there.
        """
        means = picture.means
        wanted = scales(means.height, means.width, min_face, max_face or max(means.height, means.width))[left_out:]
        found = proposals(self._first, picture, wanted, self._device)
        sides = (found[:, 2:4] - found[:, :2])[:, [0, 1, 0, 1]]
        boxes, scores, shifts = self._refined(means, _squared(found[:, :4] + found[:, 5:] * sides))
        keep = nms(torch.from_numpy(boxes), torch.from_numpy(scores), 0.7).numpy()
        return self._completed(means, _squared(_shifted(boxes[keep], shifts[keep])))

    def _refined(self, means: AreaMeans, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the squares that hold a face after the second network, with probabilities and shifts."""
        boxes, values = self._seen(means, boxes, self._second)
        keep = values[:, 0] > REFINED
        return boxes[keep], values[keep, 0], values[keep, 1:]

    def _completed(self, means: AreaMeans, squares: np.ndarray) -> FoundFaces:
        """Return the faces in the squares by the third network."""
        squares, values = self._seen(means, squares, self._third)
        keep = values[:, 0] > COMPLETE
        squares, values = squares[keep], values[keep]
        sides = squares[:, 2:] - squares[:, :2] + 1
        points = values[:, 5:].reshape(-1, 2, 5).transpose(0, 2, 1) * sides[:, None] + squares[:, None, :2] - 1
        boxes = _shifted(squares, values[:, 1:5])
        keep = np.array(_least_overlap(boxes, values[:, 0], 0.7), dtype=np.intp)
        return FoundFaces(values[keep, 0], boxes[keep], points[keep], squares[keep])

    def _seen(
        self, means: AreaMeans, boxes: np.ndarray, network: RefinementNetwork | OutputNetwork
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the boxes that lie partly inside, and what the network finds in the part of each that does."""
        corners = np.trunc(boxes).astype(np.int64)
        low = np.maximum(corners[:, :2], 1) - 1
        high = np.minimum(corners[:, 2:], [means.width, means.height])
        inside = (high > low).all(axis=1)
        corners = np.concatenate([low, high], axis=1)[inside]
        values = [np.zeros((0, 15 if network is self._third else 5), np.float32)]
        for start in range(0, len(corners), _ROWS):
            pixels = torch.from_numpy(means.parts(corners[start : start + _ROWS], network.side))
            values.append(network(pixels.to(self._device)).cpu().numpy())
        return boxes[inside], np.concatenate(values)


def _squared(boxes: np.ndarray) -> np.ndarray:
    """Return squares around boxes, of their larger side."""
    sides = boxes[:, 2:] - boxes[:, :2]
    side = sides.max(axis=1, initial=0, keepdims=True)
    low = boxes[:, :2] + sides * np.float32(0.5) - side * np.float32(0.5)
    return np.concatenate([low, low + side], axis=1)


def _shifted(boxes: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    return boxes + shifts * (boxes[:, 2:] - boxes[:, :2] + 1)[:, [0, 1, 0, 1]]


def _least_overlap(boxes: np.ndarray, scores: np.ndarray, limit: float) -> list[int]:
    """Return the boxes left, best first, when each removes those that share more than the limit of the smaller one."""
    areas = (boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=1)
    kept: list[int] = []
    for index in np.argsort(scores)[::-1]:
        low = np.maximum(boxes[index, :2], boxes[kept, :2])
        high = np.minimum(boxes[index, 2:], boxes[kept, 2:])
        shared = np.maximum(0, high - low + 1).prod(axis=1)
        if (shared <= limit * np.minimum(areas[index], areas[kept])).all():
            kept.append(int(index))
    return kept
