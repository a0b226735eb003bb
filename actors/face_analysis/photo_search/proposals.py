"""Proposals of the first network at all sizes of a picture: large sizes in strips, small ones on one canvas.

Both are matters of time only: strips stay in the cache of a core, and a call costs as much as a thousand cells.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torchvision.ops import nms

from synfiqa.actors.face_analysis.photo_search.area_means import AreaMeans
from synfiqa.actors.face_analysis.photo_search.networks import Place, ProposalNetwork

THRESHOLD = 0.6
"""Least probability of a face after the first network."""
STEP = 0.709
"""Ratio of neighbouring sizes at which the first network searches."""
CELL = 12
"""Side in pixels of what the first network sees."""
_STRIP = 40_000
"""Pixels in one call of the first network on a CPU."""
_SMALL = 15_000
"""Pixels of the largest size that shares a canvas with others."""
_WIDER = 1.52
"""Width of the canvas in widths of the largest picture on it; the next but one then fits beside it."""


def scales(height: int, width: int, min_face: float, max_face: float) -> list[float]:
    """Return the scales at which faces of about `min_face` to `max_face` pixels fill a cell, largest first."""
    found, scale = [], CELL / min_face
    while min(height, width) * scale >= CELL and CELL / scale * STEP <= max_face:
        found.append(scale)
        scale *= STEP
    return found


class SearchedPicture:
    """A picture with what was found at the scales at which it has been searched so far."""

    def __init__(self, image: np.ndarray) -> None:
        self.means = AreaMeans(image)
        self.rows: dict[float, np.ndarray] = {}


def proposals(
    network: ProposalNetwork, picture: SearchedPicture, wanted: Sequence[float], device: torch.device
) -> np.ndarray:
    """Return float32 (N, 9) box, probability and shifts of what may be faces at the scales, best first."""
    _search(network, picture, [scale for scale in wanted if scale not in picture.rows], device)
    rows = [picture.rows[scale] for scale in wanted]
    if not rows:
        return np.zeros((0, 9), np.float32)
    boxes = np.concatenate(rows)
    # Boxes of one size remove each other first: those of other sizes are moved out of reach.
    apart = np.repeat(np.arange(len(rows), dtype=np.float32), [len(part) for part in rows])[:, None]
    moved = boxes[:, :4] + apart * 2 * max(picture.means.height, picture.means.width, int(2 * CELL / min(wanted)))
    boxes = boxes[nms(torch.from_numpy(moved), torch.from_numpy(boxes[:, 4]), 0.5).numpy()]
    return boxes[nms(torch.from_numpy(boxes[:, :4]), torch.from_numpy(boxes[:, 4]), 0.7).numpy()]


def _search(network: ProposalNetwork, picture: SearchedPicture, wanted: Sequence[float], device: torch.device) -> None:
    """Add the boxes found at further scales to those of the picture."""
    means = picture.means
    sizes = [(int(means.height * scale + 1), int(means.width * scale + 1)) for scale in wanted]
    large = [(size, scale) for size, scale in zip(sizes, wanted, strict=True) if size[0] * size[1] > _SMALL]
    small = [(size, scale) for size, scale in zip(sizes, wanted, strict=True) if size[0] * size[1] <= _SMALL]
    for size, scale in large:
        picture.rows[scale] = _boxes(*_in_strips(network, means, *size, device), scale)
    if small:
        found = _on_canvas(network, means, [size for size, _ in small], device)
        for (cells, values), (_, scale) in zip(found, small, strict=True):
            picture.rows[scale] = _boxes(cells, values, scale)


def _in_strips(
    network: ProposalNetwork, means: AreaMeans, height: int, width: int, device: torch.device
) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells (N, 2) y, x of one size that may hold a face, and the values (N, 5) of each."""
    # Cells of two strips are of different pixels.
    step = max(2, _STRIP // width // 2 * 2) if device.type == "cpu" else height + height % 2
    cells, values = [], []
    for top in range(0, height - CELL + 2, step):
        strip = means.whole(height, width, top, top + step + CELL - 2)
        found, answers = network(torch.from_numpy(strip).to(device), THRESHOLD)
        cells.append(found.cpu().numpy() + np.array([top // 2, 0]))
        values.append(answers.cpu().numpy())
    return np.concatenate(cells), np.concatenate(values)


def _on_canvas(
    network: ProposalNetwork, means: AreaMeans, sizes: Sequence[tuple[int, int]], device: torch.device
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the same for each of several sizes, computed in one call."""
    places, height, width = _arranged(sizes)
    canvas = np.zeros((1, height, width, 4), np.float32)
    for x, y, wide, high in places:
        canvas[:, y : y + high, x : x + wide] = means.whole(high, wide)
    cells, values = (found.cpu().numpy() for found in network(torch.from_numpy(canvas).to(device), THRESHOLD, places))
    for x, y, wide, high in places:
        own = cells - np.array([y // 2, x // 2])
        inside = (own >= 0).all(axis=1) & (own < [_cells(high), _cells(wide)]).all(axis=1)
        yield own[inside], values[inside]


def _cells(length: int) -> int:
    """Return how many cells a line of so many pixels has."""
    return -(-(length - 2) // 2) - 4


def _arranged(sizes: Sequence[tuple[int, int]]) -> tuple[list[Place], int, int]:
    """Place pictures of (height, width), largest first, on shelves at even pixels; return height and width too."""
    widest = _even(int(sizes[0][1] * _WIDER))
    places: dict[int, Place] = {}
    top = 0
    while len(places) < len(sizes):
        left, shelf = 0, 0
        for index, (height, width) in enumerate(sizes):
            if index not in places and left + width <= widest:
                places[index] = left, top, width, height
                left, shelf = _even(left + width), max(shelf, height)
        top = _even(top + shelf)
    return [places[index] for index in range(len(sizes))], top, widest


def _even(length: int) -> int:
    return length + length % 2


def _boxes(cells: np.ndarray, values: np.ndarray, scale: float) -> np.ndarray:
    """Return float32 (N, 9) box in pixels of the picture, probability and shifts of cells of one size."""
    place = cells[:, ::-1].astype(np.float32)
    low, high = np.floor((2 * place + 1) / np.float32(scale)), np.floor((2 * place + CELL) / np.float32(scale))
    return np.concatenate([low, high, values], axis=1).astype(np.float32)
