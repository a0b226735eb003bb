"""Decoded training faces: to the bit those of the general decoder, and errors for sizes and damage."""

import io

import numpy as np
import pytest
from PIL import Image

from synfiqa.actors.imaging.codec import decode
from synfiqa.actors.nets.quality_net import to_gray
from synfiqa.fiqa_train.training.reading.decode import decode_face, is_plain
from tests.fiqa_train.small_photos import picture


def stored(image, kind, **options):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format=kind, **options)
    return buffer.getvalue()


def pictures():
    rng = np.random.default_rng(0)
    return [picture(1), picture(2), rng.integers(0, 256, (112, 112, 3)).astype(np.uint8)]


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2", "4:4:4"])
@pytest.mark.parametrize("options", [{"quality": 40}, {"quality": 100}, {"quality": 90, "progressive": True}])
def test_a_jpeg_gives_the_bits_of_the_general_decoder(subsampling, options):
    for image in pictures():
        data = stored(image, "JPEG", subsampling=subsampling, **options)
        assert is_plain(data)
        np.testing.assert_array_equal(decode_face(data, "rgb"), decode(data))
        np.testing.assert_array_equal(decode_face(data, "gray"), to_gray(decode(data)[None])[0])


def test_a_png_gives_the_bits_of_the_general_decoder():
    for image in pictures():
        data = stored(image, "PNG")
        assert is_plain(data)
        np.testing.assert_array_equal(decode_face(data, "rgb"), image)
        np.testing.assert_array_equal(decode_face(data, "gray"), to_gray(image[None])[0])


def test_images_that_need_more_than_pixels_go_to_the_general_decoder():
    turned = Image.Exif()
    turned[0x0112] = 3
    alpha = np.dstack([picture(1), np.full((112, 112), 100, np.uint8)])
    for data in (
        stored(picture(1), "JPEG", exif=turned),
        stored(picture(1)[..., 0], "JPEG"),
        stored(alpha, "PNG"),
        stored(picture(1)[..., 0], "PNG"),
        stored(picture(1), "WEBP", lossless=True),
    ):
        assert not is_plain(data)
        np.testing.assert_array_equal(decode_face(data, "rgb"), decode(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
def test_another_size_is_named_with_the_way_out(kind):
    with pytest.raises(ValueError, match="has 120 x 128 pixels, not 112 x 112: align it first"):
        decode_face(stored(np.zeros((128, 120, 3), np.uint8), kind), "gray")


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_an_image_that_is_cut_short_is_damaged(kind):
    data = stored(picture(1), kind)
    for length in (0, 10, len(data) // 2, len(data) - 60):
        with pytest.raises(ValueError, match="cannot be read"):
            decode_face(data[:length], "gray")
