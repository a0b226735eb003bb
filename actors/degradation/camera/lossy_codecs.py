"""Lossy codecs of pictures: JPEG, JPEG 2000 and WebP, each with one quality 1..100.

Equal pixels and qualities give equal pixels. Video codecs are left out: none of the libraries writes one in memory.
"""

import io

import cv2
import numpy as np
from PIL import Image

from synfiqa.schemas.recipe import Codec

_SMALLEST, _RATE = 120.0, 0.08  # compression by JPEG 2000 at quality 0, and what is left of it at 90


def coded(image: np.ndarray, codec: Codec, quality: int) -> np.ndarray:
    """Return a uint8 RGB image (H, W, 3) after compression; ValueError for a quality outside of 1..100."""
    if not 1 <= quality <= 100:
        raise ValueError(f"the quality of a codec lies in 1..100, not {quality}")
    return _FUNCTIONS[codec](image, quality)


def jpeg2000_ratio(quality: int) -> float:
    """Return how many times smaller JPEG 2000 makes a picture: about as JPEG does at this quality."""
    return _SMALLEST * _RATE ** (quality / 90)


def _jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    ]
    _, data = cv2.imencode(".jpg", image[..., ::-1], options)
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None, "what was just encoded can be decoded"
    return np.ascontiguousarray(decoded[..., ::-1])


def _jpeg2000(image: np.ndarray, quality: int) -> np.ndarray:
    return _by_pillow(image, "JPEG2000", quality_mode="rates", quality_layers=[jpeg2000_ratio(quality)])


def _webp(image: np.ndarray, quality: int) -> np.ndarray:
    return _by_pillow(image, "WEBP", quality=quality, method=1)


def _by_pillow(image: np.ndarray, name: str, **options: object) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format=name, **options)
    stream.seek(0)
    with Image.open(stream, formats=(name,)) as decoded:
        return np.asarray(decoded.convert("RGB"))


_FUNCTIONS = {"jpeg": _jpeg, "jpeg2000": _jpeg2000, "webp": _webp}
