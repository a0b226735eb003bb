"""Small pictures for the page: each image checked, at most 112 pixels wide, embedded as a data URI."""

import base64
import io
from dataclasses import dataclass

from PIL import Image

from synfiqa.actors.imaging.codec import decode

SIDE = 112
"""Longest side of an embedded picture in pixels: the size of an aligned face."""

_UNTOUCHED_BYTES = 12_000
_JPEG = b"\xff\xd8\xff"


@dataclass(frozen=True)
class Picture:
    """One picture: `source` is a data URI, empty when the image cannot be read; `about` is a remark to print."""

    source: str
    alt: str
    caption: str = ""
    about: str = ""


def picture(data: bytes | None, alt: str, caption: str = "", about: str = "") -> Picture:
    """Return an encoded image as a picture; a small JPEG keeps its own bytes, so that artefacts are the real ones."""
    try:
        pixels = decode(data or b"")
    except ValueError:
        # One damaged image must not hide all others: the template shows an empty frame with a note.
        return Picture("", alt, caption, about)
    small = max(pixels.shape[:2]) <= SIDE and data is not None and len(data) <= _UNTOUCHED_BYTES
    encoded = data if small and data is not None and data.startswith(_JPEG) else _thumbnail(Image.fromarray(pixels))
    return Picture("data:image/jpeg;base64," + base64.b64encode(encoded).decode(), alt, caption, about)


def _thumbnail(image: Image.Image) -> bytes:
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=86, optimize=True)
    return buffer.getvalue()
