"""A folder of bad images of every kind: each is scored upright, or reported with a reason; none ends the job.

What single files decode to is the subject of `test_codec`.
"""

import csv
import io
import os
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from synfiqa.actors.imaging.codec import decode, load_photo
from synfiqa.fiqa_train.scoring.output.scorer_column import ScorerColumn
from synfiqa.fiqa_train.scoring.score_file import run_score

FACE = np.ascontiguousarray(astronaut()[20:200, 130:300])
GREY = cv2.cvtColor(FACE, cv2.COLOR_RGB2GRAY)
BLANK = np.full_like(FACE, 128)

UNREADABLE = {
    "empty.jpg": "is empty",
    "text.jpg": "not an image",
    "truncated.jpg": "damaged image",
    "huge.png": "larger than",
    "huge.jpg": "larger than",
    "gone.jpg": "cannot be read",
}
FACELESS = ("nobody.png", "tiny.png", "dot.png", "line.png")
SCORED = (
    "plain.png",
    "grey.png",
    "grey-alpha.png",
    "cmyk.jpg",
    "sixteen.png",
    "rotated.jpg",
    "animated.gif",
    "animated.webp",
    "animated.png",
    "crowd.png",
)


class Brightness:
    """Stands in for a quality model: the mean of the aligned face shows whether it was decoded correctly."""

    def score(self, faces):
        return faces.reshape(len(faces), -1).mean(axis=1) / 255


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, format=kind, **options)
    return stream.getvalue()


def huge_png(side):
    """A PNG whose header declares side x side pixels, with valid checksums, but which holds none."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def huge_jpeg():
    """A whole JPEG whose frame header declares 60,000 x 60,000."""
    data = bytearray(encoded(Image.fromarray(FACE), "JPEG"))
    start = data.index(b"\xff\xc0")
    data[start + 5 : start + 9] = struct.pack(">HH", 60_000, 60_000)
    return bytes(data)


def scene(*faces):
    """A blank picture of 400 x 300 with faces of (side, left, top)."""
    picture = np.full((300, 400, 3), 128, np.uint8)
    for side, left, top in faces:
        picture[top : top + side, left : left + side] = cv2.resize(FACE, (side, side), interpolation=cv2.INTER_AREA)
    return picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("photos")
    photo = Image.fromarray(FACE)
    turned = Image.Exif()
    turned[0x0112] = 6
    frames = {"save_all": True, "append_images": [Image.fromarray(BLANK)], "duration": 100}
    contents = {
        "plain.png": encoded(photo, "PNG"),
        "grey.png": encoded(photo.convert("L"), "PNG"),
        "grey-alpha.png": encoded(photo.convert("LA"), "PNG"),
        "cmyk.jpg": encoded(photo.convert("CMYK"), "JPEG", quality=95),
        "sixteen.png": cv2.imencode(".png", GREY.astype(np.uint16) * 257)[1].tobytes(),
        "rotated.jpg": encoded(Image.fromarray(np.rot90(FACE)), "JPEG", quality=95, exif=turned),
        "animated.gif": encoded(photo, "GIF", **frames),
        "animated.webp": encoded(photo, "WEBP", lossless=True, **frames),
        "animated.png": encoded(photo, "PNG", **frames),
        "crowd.png": encoded(Image.fromarray(scene((160, 20, 20), (90, 200, 40), (90, 300, 160))), "PNG"),
        "nobody.png": encoded(Image.fromarray(BLANK), "PNG"),
        "tiny.png": encoded(Image.fromarray(scene((14, 200, 150))), "PNG"),
        "dot.png": encoded(Image.fromarray(FACE[90:91, 80:81]), "PNG"),
        "line.png": encoded(Image.fromarray(np.tile(FACE[90:91], (1, 20, 1))), "PNG"),
        "empty.jpg": b"",
        "text.jpg": b"ceci n'est pas une image\n" * 9,
        "truncated.jpg": encoded(photo, "JPEG")[:3000],
        "huge.png": huge_png(100_000),
        "huge.jpg": huge_jpeg(),
    }
    for name, content in contents.items():
        (place / name).write_bytes(content)
    (place / "gone.jpg").symlink_to(place / "never-was.jpg")
    (place / "album.jpg").mkdir()
    return place


@pytest.fixture(scope="module")
def rows(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "scores.csv"
    with pytest.MonkeyPatch.context() as patch:
        module = "synfiqa.fiqa_train.scoring.score_file"
        patch.setattr(f"{module}.open_scorers", lambda *_: {"stand-in": Brightness()})
        patch.setattr(f"{module}.scorer_columns", lambda _: [ScorerColumn("stand-in", "built-in")])
        run_score([folder], "stand-in", out)
    with out.open(newline="", encoding="utf-8") as file:
        return {row["path"].rpartition("/")[2]: row for row in csv.DictReader(file)}


def test_every_file_is_named_once(rows):
    assert sorted(rows) == sorted([*SCORED, *FACELESS, *UNREADABLE])


@pytest.mark.parametrize("name", SCORED)
def test_unusual_images_are_decoded_upright(rows, name):
    row, plain = rows[name], rows["plain.png"]
    assert row["reason"] == ""
    assert float(row["detection"]) > 0.9
    if name != "crowd.png":
        # Palettes and lossy formats change shades, not the place of the face.
        assert float(row["score"]) == pytest.approx(float(plain["score"]), abs=0.04)
        for key in ("x0", "y0", "x1", "y1"):
            assert float(row[key]) == pytest.approx(float(plain[key]), abs=6)


def test_of_many_faces_the_largest_is_scored(rows):
    row = rows["crowd.png"]
    assert 20 <= (float(row["x0"]) + float(row["x1"])) / 2 <= 180


@pytest.mark.parametrize("name", FACELESS)
def test_images_without_a_face_are_reported(rows, name):
    assert (rows[name]["score"], rows[name]["reason"]) == ("", "no face found")


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable_files_are_reported_by_name(rows, name):
    row = rows[name]
    assert row["score"] == row["detection"] == row["x0"] == ""
    assert UNREADABLE[name] in row["reason"]
    assert name in row["reason"]
    assert "\n" not in row["reason"]


@pytest.mark.parametrize("name", [*SCORED, *FACELESS])
def test_bytes_in_a_table_decode_as_the_file_does(folder, name):
    np.testing.assert_array_equal(decode((folder / name).read_bytes()), load_photo(folder / name))


@pytest.mark.parametrize("name", ["empty.jpg", "text.jpg", "truncated.jpg", "huge.png", "huge.jpg"])
def test_bad_bytes_in_a_table_are_one_sentence(folder, name):
    with pytest.raises(ValueError, match=r"image data is [^\n]+$"):
        decode((folder / name).read_bytes())


def test_cmyk_photographs_keep_their_colours():
    # An Adobe marker says that the four inks are stored inverted.
    data = encoded(Image.fromarray(FACE).convert("CMYK"), "JPEG", quality=98, subsampling=0)
    assert b"Adobe" in data
    assert np.abs(decode(data).astype(int) - FACE).mean() < 3


def test_grey_with_alpha_lies_over_white():
    grey_alpha = np.dstack([GREY, np.full_like(GREY, 255)])
    grey_alpha[:50, :, 1] = 0
    image = decode(encoded(Image.fromarray(grey_alpha, "LA"), "PNG"))
    assert image[:50].min() == 255
    np.testing.assert_array_equal(image[50:], np.repeat(GREY[50:, :, None], 3, axis=2))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.timeout(20)
def test_a_named_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ValueError, match=r"pipe\.jpg cannot be read"):
        load_photo(tmp_path / "pipe.jpg")
