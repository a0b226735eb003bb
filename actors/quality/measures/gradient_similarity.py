"""Gradient magnitude similarity deviation: a full-reference measure of portraits under blur, noise and compression."""

import cv2
import numpy as np

from synfiqa.actors.imaging.gray import LUMA
from synfiqa.actors.quality.measures.structural_similarity import compared_faces

STABILISER = 170.0
"""c of equation 4, in squared grey levels of 0..255, as published."""
FEWEST = 6
"""Pixels of a side at least, so that the half size has an inside."""
_PREWITT = np.array([[1, 0, -1]] * 3, np.float32) / 3


def gradient_deviation(clean: np.ndarray, image: np.ndarray) -> float:
    """Return the GMSD of two images' luma, uint8 RGB (H, W, 3) of one size: 0 for equal images, larger for worse ones.

    Xue, Zhang, Mou, Bovik, "Gradient magnitude similarity deviation: a highly efficient perceptual image quality index"
    (1308.3052), equations 2 to 6: the standard deviation over the image of the similarity of Prewitt magnitudes. The
    published index averages 2 x 2 pixels first; this is the mean of its values without and with that, since a face of
    100 pixels has detail at both. ValueError when the sizes differ or are less than 6 x 6 pixels.
    """
    if clean.shape != image.shape:
        raise ValueError(f"images of one size are compared, not {clean.shape} and {image.shape}")
    if min(clean.shape[:2]) < FEWEST:
        raise ValueError(f"GMSD needs {FEWEST} x {FEWEST} pixels, not {clean.shape[1]} x {clean.shape[0]}")
    weights = np.array(LUMA, np.float32)
    whole = [picture.astype(np.float32) @ weights for picture in (clean, image)]
    small = clean.shape[1] // 2, clean.shape[0] // 2
    half = [cv2.resize(luma, small, interpolation=cv2.INTER_AREA) for luma in whole]
    return float(np.mean([_deviation(*pair) for pair in (whole, half)]))


def portrait_gradients(clean: np.ndarray, image: np.ndarray, landmarks: np.ndarray) -> float:
    """Return 1 - GMSD of the face of a portrait to the same portrait undegraded; landmarks (68, 2) in pixels.

    The face and its size are those that `portrait_similarity` compares. 1 for equal faces.
    """
    return 1 - gradient_deviation(*compared_faces(clean, image, landmarks))


def _deviation(x: np.ndarray, y: np.ndarray) -> float:
    a, b = _magnitude(x), _magnitude(y)
    similarity = (2 * a * b + STABILISER) / (a * a + b * b + STABILISER)
    return float(similarity[1:-1, 1:-1].std())


def _magnitude(luma: np.ndarray) -> np.ndarray:
    return np.hypot(cv2.filter2D(luma, -1, _PREWITT), cv2.filter2D(luma, -1, _PREWITT.T))
