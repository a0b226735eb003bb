"""Decodes photographs of any size and kind: very large ones at a fraction of it, HEIC and JPEG XL by plugins."""

import importlib
import io
import struct
import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from synfiqa.actors.imaging.codec import FORMATS, to_bytes, to_rgb

MOST_PIXELS = 300_000_000
"""Larger pictures are refused: their whole size would not fit into a gigabyte."""
KEPT_PIXELS = 40_000_000
"""Larger pictures are decoded at a half, a fourth or an eighth of their sides, to at most so many pixels."""

_PLUGINS = {"HEIC": ("pillow_heif", "pillow-heif"), "JPEG XL": ("pillow_jxl", "pillow-jxl-plugin")}
"""Module and package of the plugin that decodes each kind."""
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
"""Brands of the first box of HEIC files, bytes 8 to 12."""
_TIFF = (b"II*\0", b"MM\0*")
_REDUCED = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}


@dataclass(frozen=True)
class DecodedPhoto:
    """Upright uint8 RGB pixels (H, W, 3), and the (width, height) of the photograph, which may be larger."""

    pixels: np.ndarray
    size: tuple[int, int]


def decode_photo(data: bytes, name: str) -> DecodedPhoto:
    """Decode the bytes of an image file as `codec.load_photo` does, and more kinds and sizes.

    ValueError, with the name and the remedy, for anything but a readable image of at most 300 megapixels.
    """
    if not data:
        raise ValueError(f"{name} is empty")
    kind = _kind_of_plugin(data)
    try:
        with warnings.catch_warnings(action="ignore"), _opened(data, kind) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Image.DecompressionBombError
            return _upright(image, data) if _depth(image, data) <= 8 else _deep(data)
    except ImportError:
        module, package = _PLUGINS[kind]
        raise ValueError(
            f"{name} is {kind}, which needs the decoder {module}: run `pip install {package}`, or convert it to JPEG"
        ) from None
    except Image.DecompressionBombError:
        raise ValueError(f"{name} is larger than {MOST_PIXELS} pixels; scale it down first") from None
    except UnidentifiedImageError as error:
        raise ValueError(
            f"{name} is a TIFF of a kind that cannot be read: convert it to 8 or 16 bits a channel"
            if data.startswith(_TIFF)
            else f"{name} is not an image in a supported format (such as JPEG, PNG, WebP or TIFF)"
        ) from error
    except Exception as error:  # decoders raise exceptions of many types on damaged bytes
        raise ValueError(f"{name} is a damaged image: {str(error).strip() or type(error).__name__}") from error


def _opened(data: bytes, plugin: str) -> AbstractContextManager[Image.Image]:
    """Open an image of any size: `Image.open` refuses large ones by a setting of the whole process."""
    Image.init()
    if plugin:
        module = importlib.import_module(_PLUGINS[plugin][0])
        if plugin == "HEIC":
            module.register_heif_opener()
    for kind in (*FORMATS, "HEIF", "JXL"):
        factory, accepts = Image.OPEN.get(kind, (None, None))
        if factory and (accepts is None or accepts(data[:16]) is True):
            with suppress(SyntaxError, IndexError, TypeError, KeyError, EOFError, struct.error):
                return factory(io.BytesIO(data), "")
    if data.startswith(_TIFF):
        return nullcontext(Image.fromarray(_read_deep(data)))
    raise UnidentifiedImageError


def _kind_of_plugin(data: bytes) -> str:
    """Return HEIC or JPEG XL where an image is one, else ""."""
    if data[4:8] == b"ftyp" and data[8:12] in HEIF_BRANDS:
        return "HEIC"
    return "JPEG XL" if data.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")) else ""


def _depth(image: Image.Image, data: bytes) -> int:
    """Return the bits of a channel of an image with several channels, as far as more than 8 would be lost."""
    if image.mode != "RGB":
        return 8
    if image.format == "PNG":
        return data[24]
    if image.format == "TIFF":
        return max(image.tag_v2.get(258, (8,)))  # type: ignore[attr-defined]
    return 8


def _deep(data: bytes) -> DecodedPhoto:
    pixels = _read_deep(data)
    return _kept(Image.fromarray(pixels), (pixels.shape[1], pixels.shape[0]))


def _read_deep(data: bytes) -> np.ndarray:
    """Return the uint8 RGB (H, W, 3) of an image with more bits a channel, scaled by the range that it uses."""
    # OpenCV also prints its errors.
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if values is None or values.ndim != 3 or values.shape[2] != 3:
        raise UnidentifiedImageError
    return np.ascontiguousarray(to_bytes(values)[..., ::-1])


def _upright(image: Image.Image, data: bytes) -> DecodedPhoto:
    """Decode at the scale that keeps at most `KEPT_PIXELS`, and turn upright."""
    width, height = size = image.size
    step = next((step for step in (1, 2, 4, 8) if width * height <= KEPT_PIXELS * step * step), 16)
    if step in _REDUCED and image.mode == "RGB" and image.format in ("PNG", "TIFF", "BMP", "WEBP"):
        # Pillow takes four bytes a pixel, which is 0.8 GB for 200 megapixels; OpenCV takes three.
        small = cv2.imdecode(np.frombuffer(data, np.uint8), _REDUCED[step] | cv2.IMREAD_IGNORE_ORIENTATION)
        if small is not None:
            cv2.cvtColor(small, cv2.COLOR_BGR2RGB, dst=small)
            # Pillow would decode a whole PNG to look for EXIF behind the pixels.
            return _turned(small, image.getexif() if image.format != "PNG" or "exif" in image.info else {}, size)
    if step > 1:
        # A JPEG is decoded at that scale; other kinds are averaged after.
        image.draft(None, (-(-width // step), -(-height // step)))
    pixels = _kept(image, size).pixels
    # Read after decoding, by which some kinds are turned already.
    return _turned(pixels, image.getexif(), size)


def _turned(pixels: np.ndarray, exif: Mapping[int, int], size: tuple[int, int]) -> DecodedPhoto:
    """Turn the pixels of an image of (width, height) upright."""
    width, height = size
    orientation = exif.get(0x0112, 1)
    if orientation != 1:
        turned = Image.fromarray(pixels)
        turned.getexif()[0x0112] = orientation
        pixels = np.asarray(ImageOps.exif_transpose(turned))
    sideways = (pixels.shape[1] > pixels.shape[0]) != (width > height)
    return DecodedPhoto(pixels, (height, width) if sideways else (width, height))


def _kept(image: Image.Image, size: tuple[int, int]) -> DecodedPhoto:
    step = 1
    while image.width * image.height > KEPT_PIXELS * step * step:
        step += 1
    if step > 1 and image.mode in ("RGB", "L", "RGBA", "CMYK"):
        image = image.reduce(step)
    pixels = np.asarray(to_rgb(image))
    if pixels.shape[0] * pixels.shape[1] > KEPT_PIXELS:
        target = pixels.shape[1] // step, pixels.shape[0] // step
        pixels = cv2.resize(pixels, target, interpolation=cv2.INTER_AREA)
    return DecodedPhoto(pixels, size)
