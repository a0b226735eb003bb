"""Augmentation of aligned grey faces, image by image, before they are standardised."""

import cv2
import numpy as np


def augment(gray: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a random variation of a grey face uint8 (112, 112).

    Light, geometry and small covers vary strongly, blur and loss of resolution mildly.
    """
    # Strong blur augmentation would make the embedding invariant to blur, and f_r would no longer measure it.
    image = gray[:, ::-1] if rng.random() < 0.5 else gray
    image = _move(image, rng)
    image = _relight(image, rng)
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 2.0))
    if rng.random() < 0.25:
        side = int(rng.integers(36, 100))
        image = cv2.resize(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), image.shape[::-1])
    if rng.random() < 0.3:
        noise = rng.normal(0, rng.uniform(2, 22), image.shape)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        quality = int(rng.integers(40, 95))
        stored = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = np.asarray(cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE))
    if rng.random() < 0.3:
        image = _erase(image, rng)
    return np.ascontiguousarray(image)


def _move(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    side = image.shape[0]
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), rng.normal(0, 4), rng.uniform(0.93, 1.07))
    matrix = matrix + np.column_stack([np.zeros((2, 2)), rng.normal(0, 2, size=2)])
    return cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)


def _relight(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    side = image.shape[0]
    tone = (np.arange(256) / 255) ** np.exp(rng.normal(0, 0.3)) * 255
    result = tone[image].astype(np.float32)
    if rng.random() < 0.5:
        field = rng.normal(0, 0.3, size=(3, 3)).astype(np.float32)
        result *= np.exp(cv2.resize(field, (side, side), interpolation=cv2.INTER_CUBIC))
    return np.clip(result, 0, 255).astype(np.uint8)


def _erase(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    side = image.shape[0]
    area, aspect = rng.uniform(0.03, 0.2) * side**2, np.exp(rng.normal(0, 0.5))
    height, width = (int(np.clip(np.sqrt(area * ratio), 4, side)) for ratio in (aspect, 1 / aspect))
    top, left = int(rng.integers(side - height + 1)), int(rng.integers(side - width + 1))
    covered = image.copy()
    patch = rng.uniform(0, 255) + rng.normal(0, rng.uniform(0, 40), (height // 4 + 1, width // 4 + 1))
    enlarged = cv2.resize(patch.astype(np.float32), (width, height))
    covered[top : top + height, left : left + width] = np.clip(enlarged, 0, 255)
    return covered
