"""Photographs of any size and kind: large ones at a fraction, deep ones by their range, others with the remedy."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from synfiqa.actors.imaging import photo_decoding
from synfiqa.actors.imaging.codec import FORMATS, decode
from synfiqa.actors.imaging.photo_decoding import KEPT_PIXELS, decode_photo

PHOTO = astronaut()[:200, 100:400]


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, format=kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", FORMATS)
def test_kinds_that_the_codec_reads_are_read_alike(kind):
    data = encoded(Image.fromarray(PHOTO), kind)
    found = decode_photo(data, "photo")
    np.testing.assert_array_equal(found.pixels, decode(data))
    assert found.size == (300, 200)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_photographs_are_turned_upright(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(PHOTO), kind, exif=exif)
    found = decode_photo(data, "photo")
    np.testing.assert_array_equal(found.pixels, decode(data))
    assert found.size == (found.pixels.shape[1], found.pixels.shape[0])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("colour", [True, False], ids=["colour", "grey"])
def test_fewer_bits_in_sixteen_are_stretched_by_their_own_range(suffix, bits, colour):
    """12-bit grey in a 16-bit PNG or TIFF was black, and no face was found."""
    deep = PHOTO.astype(np.uint16) << (bits - 8)
    data = cv2.imencode(suffix, deep[..., ::-1] if colour else deep[..., 1])[1].tobytes()
    found = decode_photo(data, "photo").pixels
    expected = PHOTO if colour else np.repeat(PHOTO[..., 1:2], 3, axis=2)
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("peak", [1.0, 255.0])
def test_a_float_tiff_in_colour_is_read(peak):
    """It was refused as not supported, "such as TIFF"."""
    data = cv2.imencode(".tif", (PHOTO[..., ::-1] / 255 * peak).astype(np.float32))[1].tobytes()
    assert np.abs(decode_photo(data, "photo").pixels.astype(int) - PHOTO).max() <= 1


def test_a_tiff_of_another_kind_is_named_rightly(capfd):
    with pytest.raises(ValueError, match=r"x\.tif is a TIFF of a kind that cannot be read: convert it to 8 or 16 bits"):
        decode_photo(b"II*\0 and what is no TIFF", "x.tif")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("start", "kind", "package"),
    [
        (b"\0\0\0\x20ftypheic" + bytes(40), "HEIC", "pillow-heif"),
        (b"\0\0\0\x20ftypmif1" + bytes(40), "HEIC", "pillow-heif"),
        (b"\xff\x0a" + bytes(40), "JPEG XL", "pillow-jxl-plugin"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40), "JPEG XL", "pillow-jxl-plugin"),
    ],
)
def test_a_kind_without_its_decoder_is_refused_with_the_remedy(monkeypatch, start, kind, package):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(photo_decoding.importlib, "import_module", missing)
    with pytest.raises(ValueError, match=f"^a.x is {kind}, which needs the decoder .*`pip install {package}`"):
        decode_photo(start, "a.x")


def test_heic_is_read_where_its_decoder_is_installed():
    heif = pytest.importorskip("pillow_heif")
    stream = io.BytesIO()
    heif.from_pillow(Image.fromarray(PHOTO)).save(stream, quality=95)
    found = decode_photo(stream.getvalue(), "photo").pixels
    assert np.abs(found.astype(int) - PHOTO).mean() < 6


def test_jpeg_xl_is_read_where_its_decoder_is_installed():
    pytest.importorskip("pillow_jxl")
    stream = io.BytesIO()
    Image.fromarray(PHOTO).save(stream, "JXL", quality=95)
    found = decode_photo(stream.getvalue(), "photo").pixels
    assert np.abs(found.astype(int) - PHOTO).mean() < 6


@pytest.fixture(scope="module")
def large():
    """A photograph of 108 megapixels, in which the astronaut is 12,000 wide."""
    return cv2.resize(astronaut(), (12_000, 9_000))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_108_megapixels_are_decoded_at_a_fraction(large, kind):
    """They were refused, since Pillow warns of more than 89."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(large), kind, exif=exif, **({"compress_level": 1} if kind == "PNG" else {}))
    found = decode_photo(data, "photo")
    assert found.size == (9_000, 12_000)
    assert found.pixels.shape == (6_000, 4_500, 3)
    small = cv2.resize(found.pixels, (384, 512), interpolation=cv2.INTER_AREA)
    expected = cv2.resize(np.rot90(astronaut(), 3), (384, 512), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - expected).mean() < 3


def test_200_megapixels_are_read_but_not_300():
    data = encoded(Image.new("RGB", (16_320, 12_240), "grey"), "JPEG")
    found = decode_photo(data, "photo")
    assert found.size == (16_320, 12_240)
    assert found.pixels.shape[0] * found.pixels.shape[1] <= KEPT_PIXELS
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    with pytest.raises(ValueError, match="photo is larger than 300000000 pixels; scale it down first"):
        decode_photo(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b""), "photo")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
def test_damaged_bytes_give_an_image_or_a_sentence(kind):
    whole = encoded(Image.fromarray(PHOTO), kind)
    rng = np.random.default_rng(5)
    with pytest.raises(ValueError, match="photo is"):
        decode_photo(whole[: len(whole) // 2], "photo")
    for _ in range(30):
        data = bytearray(whole)
        for place in rng.integers(0, min(len(data), 300), 5):
            data[place] = rng.integers(256)
        try:
            assert decode_photo(bytes(data), "photo").pixels.dtype == np.uint8
        except ValueError as error:
            assert str(error).startswith("photo is")  # noqa: PT017 - either outcome is right
