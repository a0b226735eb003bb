"""Alignment as in MR-FIQA's release, and in AdaFace's aligner: least squares from the template to the face, inverted.

`synfiqa.actors.imaging.alignment` fits the face to the template. Both fits are equal where a similarity maps one onto
the other exactly. A turned face leaves a residual, which shrinks either fit in its own direction, so that the inverted
one enlarges: by 1 / r^2, r the correlation of both sets of points (1.003 for a frontal face, 1.05 at 45 degrees of yaw,
1.14 at 60). It moves the landmarks of the aligned face by 1.1 pixels at 45 degrees, by 3.1 at 60.
"""

import numpy as np

from synfiqa.actors.imaging.alignment import ARCFACE_TEMPLATE


def released_transform(landmarks: np.ndarray, template: np.ndarray = ARCFACE_TEMPLATE) -> np.ndarray:
    """Return float64 (N, 2, 3) matrices that map landmarks (N, K, 2) to the template (K, 2) as released.

    Two fits compete, a similarity and one with a reflection. The released comparison overwrites the template by its
    mirror image x -> -x first, and takes the fit that lies nearer to that: a reflection beyond some 70 degrees of yaw.
    Raises ValueError when points are not finite, coincide or determine no rotation.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.ndim != 3 or points.shape[1:] != template.shape:
        raise ValueError(f"landmarks must have shape (N, {len(template)}, 2), not {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError("landmarks must be finite numbers")
    # Points are complex numbers x + iy, rounded to single precision as released.
    face = _complex(points.astype(np.float32))
    target = _complex(template.astype(np.float32))
    mirrored = -target.conj()
    plain, turned = _inverted_fit(face, target), _inverted_fit(face, mirrored)
    shown = _mapped(plain, face), -_mapped(turned, face).conj()
    distance = [np.linalg.norm(one - mirrored, axis=1) for one in shown]
    reflected = distance[0] > distance[1]
    factor, shift = (np.where(reflected, other, one) for one, other in zip(plain, turned, strict=True))
    sign = np.where(reflected, -1.0, 1.0)
    rows = [sign * factor.real, -sign * factor.imag, sign * shift.real, factor.imag, factor.real, shift.imag]
    return np.stack(rows, axis=1).reshape(-1, 2, 3)


def _complex(points: np.ndarray) -> np.ndarray:
    points = points.astype(np.float64)
    return np.asarray(points[..., 0] + 1j * points[..., 1])


def _inverted_fit(face: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return factors and shifts (N,) of face -> target, inverting the fit target -> face in least squares."""
    face_mean, target_mean = face.mean(axis=1), target.mean()
    face, target = face - face_mean[:, None], target - target_mean
    spread = (np.abs(face) ** 2).sum(axis=1)
    extent = np.abs(face_mean) + np.sqrt(spread) + 1.0
    if (spread <= (1e-9 * extent) ** 2).any():
        raise ValueError("landmarks of a face coincide, so they determine no alignment")
    product = (face * target.conj()).sum(axis=1)
    if (np.abs(product) ** 2 <= 1e-12 * spread * (np.abs(target) ** 2).sum()).any():
        raise ValueError("landmarks of a face determine no rotation")
    factor = (np.abs(target) ** 2).sum() / product
    return factor, target_mean - factor * face_mean


def _mapped(fit: tuple[np.ndarray, np.ndarray], face: np.ndarray) -> np.ndarray:
    factor, shift = fit
    return np.asarray(factor[:, None] * face + shift[:, None])
