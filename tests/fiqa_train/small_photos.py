"""Small images and files of test sets, made in a test."""

import io

import numpy as np
from PIL import Image

from synfiqa.actors.roles import Detection

TEMPLATE = np.array([[38.3, 51.7], [73.5, 51.5], [56.0, 71.7], [41.5, 92.4], [70.7, 92.2]])
SKIN = np.array([190, 140, 110])


def picture(seed, size=112):
    """Return a reddish picture that is its seed's own, uint8 RGB (size, size, 3)."""
    rng = np.random.default_rng(seed)
    small = np.clip(SKIN + rng.normal(0, 40, (7, 7, 1)) + rng.normal(0, 4, (7, 7, 3)), 0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize((size, size), Image.Resampling.BICUBIC))


def encoded(seed, size=112, kind="PNG"):
    """Return the bytes of an image file of a picture."""
    buffer = io.BytesIO()
    Image.fromarray(picture(seed, size)).save(buffer, format=kind)
    return buffer.getvalue()


def save(path, seed, size=112):
    """Write a picture as a file, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(seed, size)).save(path)
    return path


def read_all(test_set):
    """Return all images and reasons of a set."""
    batches = list(test_set.crops())
    return np.concatenate([b.images for b in batches]), [reason for b in batches for reason in b.reasons]


class WholePicture:
    """Finds one face that fills the picture, none in a picture darker than 10."""

    def faces(self, images):
        return [[self._one(image)] if image.max() >= 10 else [] for image in images]

    def detect(self, images):
        return [found[0] if found else None for found in self.faces(images)]

    def _one(self, image):
        height, width = image.shape[:2]
        box = np.array([0.0, 0.0, width - 1, height - 1])
        return Detection(0.99, box, TEMPLATE * np.array([width, height]) / 112)
