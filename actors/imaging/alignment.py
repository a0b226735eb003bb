"""Five-point similarity alignment to the ArcFace 112 x 112 template. Pixel centres lie at integer coordinates.

Images are warped by OpenCV on a CPU and by torch, in batches, on a GPU. Both sample bilinearly at the same places, and
differ by less than a hundredth of a grey level on average (OpenCV 5; older versions sample up to 1/64 pixel off).
`device` selects between them, because torch is much slower than OpenCV on a CPU
(`benchmarks/speed/faces/alignment.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

ARCFACE_SIZE = 112
"""Side in pixels of every aligned face."""

ARCFACE_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""(5, 2) x, y in pixels of the landmarks of an aligned 112 x 112 face (ArcFace)."""

ARCFACE_TEMPLATE.setflags(write=False)

_FLAGS, _OUTSIDE = cv2.INTER_LINEAR, cv2.BORDER_CONSTANT  # of OpenCV's warp: bilinear, black outside

_CHUNK = 1 << 27
"""Number of values warped at once on a GPU: half a gigabyte of float32."""

_SAMPLES, _LARGEST = 2, 8
"""Samples for each pixel of a photograph, and its most pixels, along a side of a crop's pixel (`align_smoothly`)."""


def similarity_transform(landmarks: np.ndarray, template: np.ndarray = ARCFACE_TEMPLATE) -> np.ndarray:
    """Return float64 (N, 2, 3) matrices that map landmarks (N, K, 2) onto the template (K, 2) in least squares.

    Rotation, uniform scale and translation, never a reflection: Umeyama 1991 for the plane, where it has a closed
    form over complex numbers. Raises ValueError when points are not finite, coincide or determine no rotation.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.ndim != 3 or points.shape[1:] != template.shape:
        raise ValueError(f"landmarks must have shape (N, {len(template)}, 2), not {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError("landmarks must be finite numbers")
    source = points[..., 0] + 1j * points[..., 1]
    target = template[:, 0] + 1j * template[:, 1]
    source_mean, target_mean = source.mean(axis=1), target.mean()
    source, target = source - source_mean[:, None], target - target_mean
    spread = (np.abs(source) ** 2).sum(axis=1)
    extent = np.abs(points).max(axis=(1, 2), initial=1.0)
    if (spread <= (1e-9 * extent) ** 2).any():
        raise ValueError("landmarks of a face coincide, so they determine no alignment")
    factor = (source.conj() * target).sum(axis=1) / spread
    if (np.abs(factor) ** 2 * spread <= 1e-12 * (np.abs(target) ** 2).sum()).any():
        raise ValueError("landmarks of a face determine no rotation")
    shift = target_mean - factor * source_mean
    rows = [factor.real, -factor.imag, shift.real, factor.imag, factor.real, shift.imag]
    return np.stack(rows, axis=1).reshape(-1, 2, 3)


def transform_points(points: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Apply affine matrices (N, 2, 3) to points (N, K, 2), giving (N, K, 2)."""
    return points @ matrices[:, :, :2].transpose(0, 2, 1) + matrices[:, None, :, 2]


def warp(
    images: Sequence[np.ndarray] | np.ndarray, matrices: np.ndarray, size: int = ARCFACE_SIZE, device: str = "cpu"
) -> np.ndarray:
    """Warp uint8 RGB images (of any sizes) to (N, size, size, 3): bilinear, black outside the source."""
    warped = np.zeros((len(images), size, size, 3), dtype=np.uint8)
    if device != "cpu":
        _warp_on_device(images, matrices, warped, device)
        return warped
    for out, image, matrix in zip(warped, images, matrices, strict=True):
        out[...] = cv2.warpAffine(np.ascontiguousarray(image), matrix, (size, size), flags=_FLAGS, borderMode=_OUTSIDE)
    return warped


def warp_batch(images: Tensor, matrices: np.ndarray, size: int = ARCFACE_SIZE) -> Tensor:
    """Warp images (N, H, W, 3) of 0..255, uint8 or float, to uint8 (N, size, size, 3) on their device, as `warp` does.

    A result does not depend on the rest of the batch.
    """
    import torch
    from torch.nn import functional

    height, width = images.shape[1:3]
    last_row = np.broadcast_to([[[0.0, 0.0, 1.0]]], (len(matrices), 1, 3))
    # grid_sample has the outer edges of the image at -1 and 1.
    to_edges = np.array([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1]])
    to_source = to_edges @ np.linalg.inv(np.concatenate([matrices, last_row], axis=1))
    x, y, shift = torch.from_numpy(to_source).float().to(images.device)[:, None, None].unbind(-1)
    steps = torch.arange(size, device=images.device, dtype=torch.float32)
    grid = x * steps[None, None, :, None] + y * steps[None, :, None, None] + shift
    pixels = images.permute(0, 3, 1, 2).float()
    found = functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return found.round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous()


def align(
    images: Sequence[np.ndarray] | np.ndarray, landmarks: np.ndarray, antialias: bool = False, device: str = "cpu"
) -> np.ndarray:
    """Align uint8 RGB images by landmarks (N, 5, 2) to uint8 (N, 112, 112, 3).

    The published crops are plain bilinear. `antialias` first averages a face of more than twice the output
    resolution down: aliasing of large photographs would look like noise. It jumps there: readers of photographs use
    `align_smoothly`.
    """
    matrices = similarity_transform(landmarks)
    if not antialias:
        return warp(images, matrices, device=device)
    reduced = [_reduce(image, matrix) for image, matrix in zip(images, matrices, strict=True)]
    small = np.array([matrix for _, matrix in reduced]).reshape(-1, 2, 3)
    return warp([image for image, _ in reduced], small, device=device)


def align_smoothly(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Align one uint8 RGB image (H, W, 3) by landmarks (5, 2) to uint8 (112, 112, 3), antialiased at every scale.

    Each pixel of the crop is the mean of bilinear samples over its area, two for each pixel of the photograph. So what
    noise becomes depends smoothly on the size of the photograph and hardly on where the grids of both meet.
    """
    matrix = similarity_transform(landmarks[None])[0]
    pixels = 1 / float(np.hypot(*matrix[:, 0]))
    if pixels > _LARGEST:
        factor = int(2 * pixels / _LARGEST)
        image, matrix = _reduced_face(image, matrix, factor)
        pixels /= factor
    finer = max(_SAMPLES, int(np.ceil(_SAMPLES * pixels)))
    # A pixel centre x of the crop lies at (x + 0.5) * finer - 0.5 of the samples.
    matrix = finer * matrix + np.array([[0, 0, (finer - 1) / 2]])
    side = finer * ARCFACE_SIZE
    samples = cv2.warpAffine(np.ascontiguousarray(image), matrix, (side, side), flags=_FLAGS, borderMode=_OUTSIDE)
    return np.asarray(cv2.resize(samples, (ARCFACE_SIZE, ARCFACE_SIZE), interpolation=cv2.INTER_AREA))


def _reduced_face(image: np.ndarray, matrix: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the part of an image that reaches the crop, as means of blocks of pixels, and the matrix (2, 3) from it.

    Only that part is read: most of a photograph of 12 megapixels is not its face.
    """
    limit = np.array(image.shape[1::-1])
    ends = np.array([-1.0, ARCFACE_SIZE])
    corners = np.array([[x, y] for x in ends for y in ends])
    corners = (corners - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    low = np.clip(np.floor(corners.min(axis=0)), 0, limit - 1).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)) + 1, low + 1, limit).astype(int)
    part = image[low[1] : high[1], low[0] : high[0]]
    # Black outside, as `warp` has it: whole blocks, whose centres lie at low + factor * i + (factor - 1) / 2.
    right, bottom = (int(short) for short in -(high - low) % factor)
    if right or bottom:
        part = cv2.copyMakeBorder(part, 0, bottom, 0, right, cv2.BORDER_CONSTANT)
    size = part.shape[1] // factor, part.shape[0] // factor
    small = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA))
    centre = low + (factor - 1) / 2
    return small, np.column_stack([matrix[:, :2] * factor, matrix[:, :2] @ centre + matrix[:, 2]])


def _warp_on_device(
    images: Sequence[np.ndarray] | np.ndarray, matrices: np.ndarray, warped: np.ndarray, device: str
) -> None:
    """Write the warped images into `warped`, in batches of equal size."""
    import torch

    by_shape: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, image in enumerate(images):
        by_shape[image.shape].append(index)
    for shape, indices in by_shape.items():
        step = max(1, _CHUNK // max(1, int(np.prod(shape))))
        for start in range(0, len(indices), step):
            chunk = indices[start : start + step]
            pixels = torch.from_numpy(np.stack([images[index] for index in chunk])).to(device)
            warped[chunk] = warp_batch(pixels, matrices[chunk], warped.shape[1]).cpu().numpy()


def _reduce(image: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    height, width = image.shape[:2]
    factor = min(int(1 / np.hypot(*matrix[:, 0])), height, width)
    if factor < 2:
        return image, matrix
    # Whole blocks only, so that the block centres lie at exactly factor * i + (factor - 1) / 2.
    whole = image[: height // factor * factor, : width // factor * factor]
    small = cv2.resize(whole, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    centre = np.full(2, (factor - 1) / 2)
    return small, np.column_stack([matrix[:, :2] * factor, matrix[:, :2] @ centre + matrix[:, 2]])
