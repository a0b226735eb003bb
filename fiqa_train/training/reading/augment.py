"""Random changes of training faces that keep the quality label: geometry, tone, colour, texture, cover and blur.

All random numbers of a lane's rows of a step are drawn at once from a generator of their own, so that a face is changed
in the same way whatever the number of ranks and threads. Each image is then changed by OpenCV outside of Python's
lock, for a quarter of the CPU time of the same operations of torch on a batch of 64.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from synfiqa.actors.imaging.gray import LUMA
from synfiqa.fiqa_train.training.reading.order import Lanes
from synfiqa.schemas.config.train_data import AugmentSection
from synfiqa.schemas.seeds import derive_seed, generator

_CELLS = 6
"""Cells of the texture along each side."""
_TONES = ("gamma", "contrast", "gain", "black_lift", "saturation", "white_balance")
"""Limits of the config that change grey levels or colours."""
NEUTRAL_COLOUR = (1.0, 1.0)
"""Factors of `colour` that change nothing."""
_UNITS = np.eye(_CELLS, dtype=np.float32)
_LEVELS = np.arange(256, dtype=np.float32) / 255
_DECISIONS = ("mirror", "geometry", "cutout", "blur")
_AMOUNTS = (
    *("degrees", "scale", "shift_x", "shift_y", "gamma", "contrast", "gain"),
    *("saturation", "red", "blue"),
)
_SIZES = ("black_lift", "texture", "cutout_side", "cutout_x", "cutout_y", "blur_sigma")
_LATER = ("exposure", "colour", "grey")
"""Further sizes, drawn after all else, so that a face is otherwise changed as before they were there."""


@dataclass(frozen=True)
class Draw:
    """Random numbers of one face: decisions and sizes in 0..1, amounts in -1..1, texture of variance 1 (6, 6)."""

    decisions: dict[str, float]
    amounts: dict[str, float]
    sizes: dict[str, float]
    texture: np.ndarray


def draws(count: int, seed: int) -> list[Draw]:
    """Return the random numbers of so many faces."""
    rng = generator(seed)
    decisions = rng.random((count, len(_DECISIONS))).tolist()
    amounts = rng.uniform(-1, 1, (count, len(_AMOUNTS))).tolist()
    sizes = rng.random((count, len(_SIZES))).tolist()
    texture = rng.standard_normal((count, _CELLS, _CELLS), np.float32)
    later = rng.random((count, len(_LATER))).tolist()
    return [
        Draw(
            dict(zip(_DECISIONS, decisions[row], strict=True)),
            dict(zip(_AMOUNTS, amounts[row], strict=True)),
            dict(zip((*_SIZES, *_LATER), (*sizes[row], *later[row]), strict=True)),
            texture[row],
        )
        for row in range(count)
    ]


def draws_of_step(lanes: Lanes, start: int, stop: int, seed: int, epoch: int, step: int) -> Iterator[Draw]:
    """Yield the random numbers of the positions start..stop of the batch of a step."""
    for lane, first, last in lanes.parts(start, stop):
        yield from draws(lanes.quotas[lane], derive_seed(seed, "augment", epoch, step, lane))[first:last]


def augment(image: np.ndarray, draw: Draw, section: AugmentSection, out: np.ndarray) -> None:
    """Set `out`, float32 in 0..255, to a face with random changes.

    Luma uint8 (H, W) becomes (H, W), RGB uint8 (H, W, 3) becomes (3, H, W).
    """
    decide = draw.decisions
    if decide["mirror"] < section.mirror:
        image = cv2.flip(image, 1)
    if decide["geometry"] < section.geometry:
        image = _moved(image, draw.amounts, section)
    planes = _toned(image[None] if image.ndim == 2 else np.stack(cv2.split(image)), draw, section)
    if decide["blur"] < section.blur:
        sigma = max(0.05, draw.sizes["blur_sigma"] * section.blur_sigma)
        planes = np.stack([cv2.GaussianBlur(plane, (0, 0), sigma) for plane in planes])
    if section.texture:
        height, width = image.shape[:2]
        planes += enlarged(draw.texture * np.float32(draw.sizes["texture"] * section.texture), height, width)
    if decide["cutout"] < section.cutout:
        _cut_out(planes, draw.sizes, section)
    np.clip(planes, 0, 255, out=out if image.ndim == 3 else out[None])


def _moved(image: np.ndarray, amounts: dict[str, float], section: AugmentSection) -> np.ndarray:
    """Turn and scale about the centre and shift; pixels from outside repeat the border."""
    height, width = image.shape[:2]
    turn, scale = amounts["degrees"] * section.degrees, 1 + amounts["scale"] * section.scale
    # Pixel centres have whole coordinates, so that the centre is that of the pixels, not of the area.
    matrix: np.ndarray = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, scale)
    matrix = matrix + np.array([[0, 0, amounts["shift_x"]], [0, 0, amounts["shift_y"]]]) * section.shift
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _toned(planes: np.ndarray, draw: Draw, section: AugmentSection) -> np.ndarray:
    """Return float32 (C, H, W) after gamma, gain, contrast and black lift, of RGB also white balance and saturation."""
    if not any(getattr(section, limit) for limit in _TONES) and not _is_toned_later(section):
        return planes.astype(np.float32)
    amounts, sizes = draw.amounts, draw.sizes
    lift = sizes["black_lift"] * section.black_lift
    gain = (1 + amounts["gain"] * section.gain) * (1 - lift / 255)
    if any(section.exposure):
        gain *= float(np.exp(_between(section.exposure, sizes["exposure"])))
    contrast = 1 + amounts["contrast"] * section.contrast
    curve = 255 * _LEVELS ** np.float32(np.exp(amounts["gamma"] * section.gamma))
    channels, height, width = planes.shape
    toned: np.ndarray = cv2.LUT(planes.reshape(-1, width), curve).reshape(channels, -1)
    weights = np.array(LUMA if channels == 3 else (1.0,))
    mean = float(weights @ [cv2.mean(plane)[0] for plane in toned])
    factor, offset = gain * contrast, gain * mean * (1 - contrast) + lift
    if channels == 3:
        balance = [1 + amounts["red"] * section.white_balance, 1, 1 + amounts["blue"] * section.white_balance]
        kept = 1 + amounts["saturation"] * section.saturation
        if section.colour != NEUTRAL_COLOUR:
            kept *= _between(section.colour, sizes["colour"])
        kept = 0.0 if sizes["grey"] < section.grey else kept
        mixed = np.diag(balance) @ (kept * np.eye(3) + (1 - kept) * np.tile(LUMA, (3, 1)))
        toned = (factor * mixed).astype(np.float32) @ toned
    else:
        toned *= np.float32(factor)
    toned += np.float32(offset)
    return toned.reshape(channels, height, width)


def _is_toned_later(section: AugmentSection) -> bool:
    return any(section.exposure) or section.colour != NEUTRAL_COLOUR or section.grey > 0


def _between(interval: tuple[float, float], share: float) -> float:
    low, high = interval
    return low + share * (high - low)


def enlarged(cells: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a grid of cells (6, 6) enlarged to (height, width) by cubic interpolation."""
    return _weights(height) @ cells @ _weights(width).T


@cache
def _weights(size: int) -> np.ndarray:
    """Return the weights (size, 6) with which cubic interpolation enlarges the cells along one side."""
    # The interpolation is linear and separable: two small products cost a sixth of cv2.resize.
    return np.stack([cv2.resize(one[:, None], (1, size), interpolation=cv2.INTER_CUBIC)[:, 0] for one in _UNITS], 1)


def _cut_out(planes: np.ndarray, sizes: dict[str, float], section: AugmentSection) -> None:
    """Fill a square of 1..`cutout_side` pixels with the mean of each plane."""
    _, height, width = planes.shape
    side = 1 + int(sizes["cutout_side"] * min(section.cutout_side, height, width))
    top, left = int(sizes["cutout_y"] * (height - side + 1)), int(sizes["cutout_x"] * (width - side + 1))
    for plane in planes:
        plane[top : top + side, left : left + side] = cv2.mean(plane)[0]
