"""Structural similarity to an undegraded image: the full-reference measure of portraits."""

import cv2
import numpy as np

from synfiqa.actors.imaging.gray import LUMA

_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_COMPARED_SIDE = 256
_FACE_MARGIN = 0.15


def structural_similarity(clean: np.ndarray, image: np.ndarray) -> float:
    """Return the mean SSIM of two images' luma, uint8 RGB (H, W, 3) of one size; 1 for equal images, at least -1.

    Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural similarity", IEEE
    Transactions on Image Processing 13 (2004), equation 13 with C1 = (0.01 * 255)^2 and C2 = (0.03 * 255)^2: means and
    covariances of the population under a Gaussian window of 11 x 11 and sigma 1.5, of whole windows alone.
    ValueError when the sizes differ or no window fits.
    """
    if clean.shape != image.shape:
        raise ValueError(f"images of one size are compared, not {clean.shape} and {image.shape}")
    if min(clean.shape[:2]) < _WINDOW:
        raise ValueError(f"SSIM needs {_WINDOW} x {_WINDOW} pixels, not {clean.shape[1]} x {clean.shape[0]}")
    weights = np.array(LUMA)
    x, y = (picture.astype(np.float64) @ weights for picture in (clean, image))
    x_mean, y_mean = _local(x), _local(y)
    x_variance, y_variance = _local(x * x) - x_mean**2, _local(y * y) - y_mean**2
    covariance = _local(x * y) - x_mean * y_mean
    luminance = (2 * x_mean * y_mean + _C1) / (x_mean**2 + y_mean**2 + _C1)
    structure = (2 * covariance + _C2) / (x_variance + y_variance + _C2)
    edge = _WINDOW // 2
    return float((luminance * structure)[edge:-edge, edge:-edge].mean())


def portrait_similarity(clean: np.ndarray, image: np.ndarray, landmarks: np.ndarray) -> float:
    """Return the SSIM of the face of a portrait to the same portrait undegraded; landmarks (68, 2) in pixels.

    The face is the box of its landmarks with 15 % of its larger side around it: an even backdrop hardly changes under
    blur, so that over whole portraits the measure would depend on the backdrop. A face of 384 pixels and more is first
    averaged down by the nearest whole number of times that its smaller side holds 256, as the authors advise for the
    viewing distance. Portraits of 11 pixels and more; the box is moved inside and has at least 11 pixels.
    """
    return structural_similarity(*compared_faces(clean, image, landmarks))


def compared_faces(clean: np.ndarray, image: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the face of two portraits uint8 RGB, cut and averaged down as `portrait_similarity` states."""
    left, top, right, bottom = _face_box(landmarks, clean.shape)
    x, y = clean[top:bottom, left:right], image[top:bottom, left:right]
    step = max(1, round(min(x.shape[:2]) / _COMPARED_SIDE))
    if step > 1:
        small = x.shape[1] // step, x.shape[0] // step
        x, y = (cv2.resize(picture, small, interpolation=cv2.INTER_AREA) for picture in (x, y))
    return x, y


def _face_box(landmarks: np.ndarray, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    margin = _FACE_MARGIN * float((high - low).max())
    sides = []
    for start, stop, size in zip(low - margin, high + margin, (shape[1], shape[0]), strict=True):
        first = int(np.clip(np.floor(start), 0, max(0, size - _WINDOW)))
        sides.append((first, int(np.clip(np.ceil(stop) + 1, min(size, first + _WINDOW), size))))
    return sides[0][0], sides[1][0], sides[0][1], sides[1][1]


def _local(values: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(values, (_WINDOW, _WINDOW), _SIGMA, borderType=cv2.BORDER_REFLECT))
