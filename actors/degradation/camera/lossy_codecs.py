"""Lossy codecs of pictures: JPEG, JPEG 2000, WebP and AVIF, each with one quality 1..100.

Equal pixels and qualities give equal pixels with equal versions of the libraries. AVIF is a picture of the video codec
AV1 (an intra frame), WebP one of VP8. What a quality harms differs much from codec to codec
(`synfiqa.schemas.factors.codec_strength`).
"""

import io

import cv2
import numpy as np
from PIL import Image, features

from synfiqa.schemas.errors import UserError
from synfiqa.schemas.recipe import Codec

_SMALLEST, _RATE = 120.0, 0.08  # compression by JPEG 2000 at quality 0, and what is left of it at 90
_AVIF_SPEED = 8  # of 0..10: 2 to 5 CPU-ms a picture


def coded(image: np.ndarray, codec: Codec, quality: int) -> np.ndarray:
    """Return a uint8 RGB image (H, W, 3) after compression; ValueError for a quality outside of 1..100."""
    if not 1 <= quality <= 100:
        raise ValueError(f"the quality of a codec lies in 1..100, not {quality}")
    return _FUNCTIONS[codec](image, quality)


def jpeg2000_ratio(quality: int) -> float:
    """Return how many times smaller than its pixels JPEG 2000 makes a picture: 120 at quality 1, 9.6 at 90.

    A file of fixed size, whatever the picture: in a large smooth one it spoils far less than JPEG of this quality.
    """
    return _SMALLEST * _RATE ** (quality / 90)


def require_avif() -> None:
    """Raise a UserError where Pillow cannot write AVIF."""
    if not features.check("avif"):
        raise UserError(
            "generate.camera.codec_weights draws AVIF, and this Pillow writes none: install its wheel of version 11.3 "
            "or later, or set the fourth weight to 0"
        )


def _jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    ]
    # OpenCV swaps channels several times faster than numpy.
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    assert decoded is not None, "what was just encoded can be decoded"
    return np.asarray(decoded)


def _jpeg2000(image: np.ndarray, quality: int) -> np.ndarray:
    return _by_pillow(image, "JPEG2000", quality_mode="rates", quality_layers=[jpeg2000_ratio(quality)])


def _webp(image: np.ndarray, quality: int) -> np.ndarray:
    return _by_pillow(image, "WEBP", quality=quality, method=1)


def _avif(image: np.ndarray, quality: int) -> np.ndarray:
    # One thread: pixels then depend on no number of cores.
    return _by_pillow(image, "AVIF", quality=quality, speed=_AVIF_SPEED, max_threads=1)


def _by_pillow(image: np.ndarray, name: str, **options: object) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format=name, **options)
    stream.seek(0)
    with Image.open(stream, formats=(name,)) as decoded:
        return np.asarray(decoded.convert("RGB"))


_FUNCTIONS = {"jpeg": _jpeg, "jpeg2000": _jpeg2000, "webp": _webp, "avif": _avif}
