import io

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from synfiqa.actors.imaging.codec import decode, encode_jpeg, load_photo

PHOTO = astronaut()[:128, 160:288].copy()


def save(path, image, **options):
    image.save(path, **options)
    return path


class TestJpeg:
    def test_equal_images_give_equal_bytes(self):
        assert encode_jpeg(PHOTO, 75) == encode_jpeg(PHOTO.copy(), 75)

    def test_round_trip_is_close_and_quality_matters(self):
        errors = [np.abs(decode(encode_jpeg(PHOTO, q)).astype(int) - PHOTO).mean() for q in (95, 75, 20)]
        assert errors == sorted(errors)
        assert errors[0] < 3

    def test_chroma_is_subsampled_as_published(self):
        with Image.open(io.BytesIO(encode_jpeg(PHOTO, 100))) as image:
            assert image.layer[0][1:3] == (2, 2)

    def test_channels_are_rgb(self):
        red = np.zeros((32, 32, 3), np.uint8)
        red[..., 0] = 255
        assert decode(encode_jpeg(red, 90))[16, 16].tolist() == pytest.approx([254, 0, 0], abs=2)

    @pytest.mark.parametrize("quality", [0, 101])
    def test_quality_outside_of_its_range_is_refused(self, quality):
        with pytest.raises(ValueError, match="quality"):
            encode_jpeg(PHOTO, quality)

    @pytest.mark.parametrize("image", [PHOTO[..., 0], PHOTO.astype(float), PHOTO[..., :2]])
    def test_other_images_are_refused(self, image):
        with pytest.raises(ValueError, match="uint8 RGB"):
            encode_jpeg(image, 75)

    @pytest.mark.parametrize("data", [b"", b"not an image", encode_jpeg(PHOTO, 75)[:600]])
    def test_damaged_bytes_are_refused(self, data):
        with pytest.raises(ValueError, match="image data is"):
            decode(data)


class TestLoadPhoto:
    def test_png_is_exact(self, tmp_path):
        np.testing.assert_array_equal(load_photo(save(tmp_path / "a.png", Image.fromarray(PHOTO))), PHOTO)

    @pytest.mark.parametrize(
        ("orientation", "expected"),
        [(1, PHOTO), (3, PHOTO[::-1, ::-1]), (6, np.rot90(PHOTO, -1)), (8, np.rot90(PHOTO)), (2, PHOTO[:, ::-1])],
    )
    def test_exif_rotation_is_applied(self, tmp_path, orientation, expected):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = save(tmp_path / "a.png", Image.fromarray(PHOTO), exif=exif)
        np.testing.assert_array_equal(load_photo(path), expected)

    @pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr", "LAB"])
    def test_every_mode_becomes_rgb(self, tmp_path, mode):
        path = save(tmp_path / "a.tiff", Image.fromarray(PHOTO).convert(mode))
        image = load_photo(path)
        assert image.shape == PHOTO.shape
        assert image.dtype == np.uint8
        assert np.corrcoef(image.mean(axis=2).ravel(), PHOTO.mean(axis=2).ravel())[0, 1] > 0.4

    @pytest.mark.parametrize("suffix", ["png", "tiff"])
    def test_sixteen_bits_keep_their_brightness(self, tmp_path, suffix):
        grey = PHOTO[..., 0].astype(np.uint16) * 257
        cv2.imwrite(str(tmp_path / f"a.{suffix}"), grey)
        np.testing.assert_array_equal(load_photo(tmp_path / f"a.{suffix}")[..., 1], PHOTO[..., 0])

    def test_a_dark_sixteen_bit_photo_stays_dark(self, tmp_path):
        cv2.imwrite(str(tmp_path / "a.png"), np.full((32, 32), 200, np.uint16))
        assert load_photo(tmp_path / "a.png").max() == 1

    def test_sixteen_bit_colour(self, tmp_path):
        cv2.imwrite(str(tmp_path / "a.png"), PHOTO[..., ::-1].astype(np.uint16) * 257)
        np.testing.assert_array_equal(load_photo(tmp_path / "a.png"), PHOTO)

    @pytest.mark.parametrize("peak", [1.0, 255.0])
    def test_float_images(self, tmp_path, peak):
        values = Image.fromarray((PHOTO[..., 0] / 255 * peak).astype(np.float32))
        assert np.abs(load_photo(save(tmp_path / "a.tiff", values))[..., 0].astype(int) - PHOTO[..., 0]).max() <= 1

    def test_transparency_lies_over_white(self, tmp_path):
        rgba = np.dstack([PHOTO, np.full(PHOTO.shape[:2], 255, np.uint8)])
        rgba[:64, :, 3] = 0
        image = load_photo(save(tmp_path / "a.png", Image.fromarray(rgba)))
        assert image[:64].min() == 255
        np.testing.assert_array_equal(image[64:], PHOTO[64:])

    def test_transparent_palette(self, tmp_path):
        palette = Image.fromarray(np.array([[0, 1]], np.uint8), mode="P")
        palette.putpalette([9, 9, 9, 200, 0, 0])
        image = load_photo(save(tmp_path / "a.png", palette, transparency=0))
        assert image.tolist() == [[[255, 255, 255], [200, 0, 0]]]

    @pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
    def test_the_first_frame_of_an_animation(self, tmp_path, suffix):
        frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue")]
        frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], lossless=True)
        image = load_photo(tmp_path / f"a.{suffix}")
        assert image.shape == (30, 40, 3)
        assert image[15, 20].tolist() == [255, 0, 0]

    def test_a_wrong_suffix_does_not_matter(self, tmp_path):
        path = save(tmp_path / "a.jpg", Image.fromarray(PHOTO), format="PNG")
        np.testing.assert_array_equal(load_photo(path), PHOTO)


class TestUnreadable:
    def refused(self, path):
        with pytest.raises(ValueError) as info:  # noqa: PT011 - the sentence is checked below
            load_photo(path)
        sentence = str(info.value)
        assert path.name in sentence
        assert "\n" not in sentence
        return sentence

    def test_missing(self, tmp_path):
        assert "cannot be read" in self.refused(tmp_path / "none.jpg")

    def test_folder(self, tmp_path):
        assert "cannot be read" in self.refused(tmp_path)

    def test_empty(self, tmp_path):
        (tmp_path / "a.jpg").touch()
        assert "is empty" in self.refused(tmp_path / "a.jpg")

    @pytest.mark.parametrize("data", [b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"\0" * 4096])
    def test_no_image(self, tmp_path, data):
        (tmp_path / "a.jpg").write_bytes(data)
        assert "not an image" in self.refused(tmp_path / "a.jpg")

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
    def test_truncated(self, tmp_path, kind):
        path = save(tmp_path / "a.bin", Image.fromarray(PHOTO), format=kind)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert "image" in self.refused(path)

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
    def test_flipped_bytes_give_an_image_or_the_error(self, tmp_path, kind):
        path = save(tmp_path / "a.bin", Image.fromarray(PHOTO), format=kind)
        whole = path.read_bytes()
        rng = np.random.default_rng(11)
        for _ in range(40):
            data = bytearray(whole)
            for position in rng.integers(0, min(len(data), 400), 6):
                data[position] = rng.integers(256)
            path.write_bytes(bytes(data))
            try:
                assert load_photo(path).dtype == np.uint8
            except ValueError as error:
                assert path.name in str(error)  # noqa: PT017 - either outcome is right

    @pytest.mark.parametrize("side", [9_600, 20_000])
    def test_decompression_bomb(self, tmp_path, side):
        # A bitmap header that declares side x side pixels, without data.
        path = save(tmp_path / "a.bmp", Image.fromarray(PHOTO))
        data = bytearray(path.read_bytes())
        data[18:26] = np.array([side, side], "<i4").tobytes()
        path.write_bytes(bytes(data))
        assert "larger than" in self.refused(path)
