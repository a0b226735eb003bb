"""Encoded images and photographs in and out, always as uint8 RGB (H, W, 3)."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

# Formats by name: Pillow would otherwise also try those that start other programs (EPS runs Ghostscript).
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "TGA", "AVIF")


def encode_jpeg(image: np.ndarray, quality: int) -> bytes:
    """Encode uint8 RGB (H, W, 3) as baseline JPEG, quality 1..100, chroma 4:2:0; equal input gives equal bytes."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"encode_jpeg takes uint8 RGB of shape (H, W, 3), not {image.dtype} {image.shape}")
    if not 1 <= quality <= 100:
        raise ValueError(f"JPEG quality must lie in 1..100, not {quality}")
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=quality, subsampling="4:2:0")
    return buffer.getvalue()


def encode_png(image: np.ndarray) -> bytes:
    """Encode uint8 RGB (H, W, 3) without loss; equal input gives equal bytes."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"encode_png takes uint8 RGB of shape (H, W, 3), not {image.dtype} {image.shape}")
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


def decode(data: bytes, name: str = "image data") -> np.ndarray:
    """Decode an image file's bytes to uint8 RGB (H, W, 3), upright; ValueError with its name for unreadable ones."""
    return _read(io.BytesIO(data), name)


def load_photo(path: str | Path) -> np.ndarray:
    """Read a photograph as upright uint8 RGB (H, W, 3).

    Applies EXIF rotation; accepts grey, 16-bit, CMYK, palette, transparent (over white) and animated (first frame)
    files. Raises ValueError for anything but a readable image of at most 89 megapixels.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        # Reading a pipe or a device may never end.
        raise ValueError(f"{path} cannot be read: it is no regular file")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error
    if not data:
        raise ValueError(f"{path} is empty")
    return _read(io.BytesIO(data), str(path))


def image_size(path: str | Path) -> tuple[int, int]:
    """Return width and height of an image file as stored, from its header; ValueError when it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                return image.size
    except Exception as error:  # decoders raise exceptions of many types on damaged bytes
        raise ValueError(f"{path} is no readable image: {error}") from error


def _read(stream: io.BytesIO, name: str) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(stream, formats=FORMATS) as image:
                return np.asarray(to_rgb(ImageOps.exif_transpose(image)))
    except UnidentifiedImageError as error:
        raise ValueError(f"{name} is not an image in a supported format (such as JPEG, PNG, WebP or TIFF)") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"{name} is larger than {Image.MAX_IMAGE_PIXELS} pixels; scale it down first") from error
    except Exception as error:  # decoders raise exceptions of many types on damaged bytes
        raise ValueError(f"{name} is a damaged image: {error}") from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image of any mode as 8-bit RGB, transparent parts over white."""
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(to_bytes(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


_DEPTHS = (10, 12, 14)
"""Bits of cameras and scanners that are stored in 16."""


def to_bytes(values: np.ndarray) -> np.ndarray:
    """Scale 16-bit, 32-bit or float values to uint8, by the smallest of the usual ranges that holds them.

    16-bit values whose largest lies between 255 and 16,383 are those of 10, 12 or 14 bits.
    """
    values, kind = np.nan_to_num(values.astype(np.float64)), values.dtype
    peak = values.max(initial=0)
    if kind.kind == "f" and peak <= 1:
        top = 1.0
    elif peak <= 255 and kind.itemsize > 2:
        top = 255.0
    elif kind.kind != "f" and 255 < peak < 1 << _DEPTHS[-1]:
        top = float(next((1 << bits) - 1 for bits in _DEPTHS if peak < 1 << bits))
    else:
        top = max(65535.0, peak)
    return np.rint(np.clip(values / top, 0, 1) * 255).astype(np.uint8)
