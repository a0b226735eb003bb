"""What a command may name: each photograph once, in order, and what was left out counted by kind."""

import io
import os
import tarfile
import uuid

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.scoring.photo_sources import find_photos
from synfiqa.schemas.errors import UserError


def picture(value=9, kind="PNG"):
    stream = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(stream, kind)
    return stream.getvalue()


def put(path, content=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture() if content is None else content)
    return path


def names(*paths):
    return [photo.name for photo in find_photos(paths)]


@pytest.fixture
def folder(tmp_path):
    for name in ("b.jpg", "a.png", "deep/c.webp"):
        put(tmp_path / "photos" / name)
    return tmp_path / "photos"


def test_files_left_out_are_counted_by_kind(folder):
    """Files of other kinds were not in the CSV, without a word."""
    for name in ("d.HEIC", "e.jpx", "f.JXL"):
        put(folder / name, b"")
    put(folder / "no_suffix")
    put(folder / "notes", b"words")
    put(folder / "notes.txt", b"words")
    put(folder / "more.TXT", b"words")
    put(folder / "._a.png")
    put(folder / "x.tar.gz", b"")
    found = find_photos([folder])
    kept = [photo.name.removeprefix(f"{folder}/") for photo in found]
    assert kept == ["a.png", "b.jpg", "d.HEIC", "deep/c.webp", "e.jpx", "f.JXL", "no_suffix"]
    assert found.skipped == {".txt": 2, "without suffix": 1, "hidden": 1, ".tar.gz": 1}
    assert found.skipped_sentence() == (
        "5 files left out as no photographs: 2 .txt, 1 .tar.gz, 1 hidden, 1 without suffix"
    )
    assert find_photos([folder / "a.png"]).skipped_sentence() == ""


def test_linked_folders_are_followed_once_and_circles_end(folder, tmp_path):
    """Photographs in a linked folder were not in the CSV, without a word."""
    put(tmp_path / "elsewhere" / "z.png")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (folder / "link2").symlink_to(tmp_path / "elsewhere")
    (folder / "deep" / "circle").symlink_to(folder)
    (folder / "gone.jpg").symlink_to(tmp_path / "nowhere")
    found = find_photos([folder])
    assert [photo.name.rpartition("/")[2] for photo in found] == ["a.png", "b.jpg", "c.webp", "gone.jpg", "z.png"]
    assert found.skipped == {"folder linked again": 2}


def test_a_photograph_named_twice_is_listed_once(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert names("photos/b.jpg", "photos", "./photos/../photos/a.png", folder / "b.jpg") == [
        "photos/b.jpg",
        "photos/a.png",
        "photos/deep/c.webp",
    ]


def test_the_home_folder_and_patterns(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert names("~/a.png") == [str(folder / "a.png")]
    assert names("~/*.[jp]*g") == [str(folder / "a.png"), str(folder / "b.jpg")]
    assert names(f"{folder}/**/*.webp") == [str(folder / "deep/c.webp")]
    put(folder / "[odd].png")
    assert names(folder / "[odd].png") == [str(folder / "[odd].png")], "a file of that very name"
    with pytest.raises(UserError, match=r"nothing matches .*\*\.gif"):
        find_photos([f"{folder}/*.gif"])


def test_a_file_name_that_is_not_utf8_is_escaped(tmp_path):
    """It made the whole CSV unreadable."""
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(picture())
    (photo,) = find_photos([tmp_path])
    assert photo.name == f"{tmp_path}/caf\\xe9.png"
    photo.name.encode()
    assert photo.read() == picture()


@pytest.mark.parametrize("suffix", ["txt", "csv"])
def test_lists(folder, monkeypatch, suffix):
    monkeypatch.chdir(folder.parent)
    listing = put(folder / f"list.{suffix}", b"\xef\xbb\xbf# comment\n\nphotos/b.jpg\ndeep/c.webp\nabsent.jpg\n")
    found = find_photos([listing])
    assert [photo.name for photo in found] == ["photos/b.jpg", str(folder / "deep/c.webp"), "absent.jpg"]
    with pytest.raises(FileNotFoundError):
        found.photos[2].read()


def test_a_column_of_a_table_of_paths(folder):
    put(folder / "table.csv", b"label,path\n3,a.png\n4,b.jpg\n")
    assert names(folder / "table.csv") == [str(folder / "a.png"), str(folder / "b.jpg")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("readme.txt", b"no paths here\n"),
        ("scores.csv", b"path,score,reason,detection\na.png,0.5,,0.9\n"),
        ("binary.txt", b"\0\1a.png"),
    ],
)
def test_what_is_no_list_is_tried_as_a_photograph(folder, name, content):
    """`photos/*` names the scores of an earlier call too."""
    put(folder / name, content)
    assert names(folder / name) == [str(folder / name)]


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_tars(tmp_path, kind):
    path = tmp_path / f"set.{kind}"
    with tarfile.open(path, f"w:{kind.partition('.')[2]}") as tar:
        for index, name in enumerate(["one.jpg", "deep/two.png", "one.txt", "one.json", ".hidden.jpg"]):
            info = tarfile.TarInfo(name)
            info.size = len(picture(index))
            tar.addfile(info, io.BytesIO(picture(index)))
    found = find_photos([path])
    assert [photo.name for photo in found] == [f"{path}::one.jpg", f"{path}::deep/two.png"]
    assert [photo.read() for photo in reversed(found.photos)] == [picture(1), picture(0)]
    assert found.photos[0].path == path
    assert found.skipped == {".txt": 1, ".json": 1, "hidden": 1}
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="is no whole tar file"):
        find_photos([path])


@pytest.mark.parametrize("nested", [True, False])
def test_parquet(tmp_path, nested):
    path = tmp_path / "set.parquet"
    images = [picture(index) for index in range(5)]
    column = [{"bytes": image, "path": "x"} for image in images] if nested else images
    pq.write_table(pa.table({"id": range(6), "image": [*column, None]}), path, row_group_size=2)
    found = find_photos([path])
    assert [photo.name for photo in found] == [f"{path}::{row}" for row in range(6)]
    assert [photo.read() for photo in found.photos[:5]] == images
    with pytest.raises(ValueError, match="holds no image"):
        found.photos[5].read()
    pq.write_table(pa.table({"id": range(5)}), path)
    with pytest.raises(UserError, match="no column of encoded images among id"):
        find_photos([path])
    path.write_bytes(b"PAR1")
    with pytest.raises(UserError, match="no whole Parquet file"):
        find_photos([path])


def test_object_stores():
    url = f"memory://{uuid.uuid4().hex}/photos"
    store = Storage(url)
    for name in ("b.jpg", "a.png", "deep/c.webp", "notes.txt", "nosuffix"):
        store.write(name, picture())
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        info = tarfile.TarInfo("in.png")
        info.size = len(picture(4))
        tar.addfile(info, io.BytesIO(picture(4)))
    store.write("set.tar", content.getvalue())
    table = io.BytesIO()
    pq.write_table(pa.table({"image": [picture(7)]}), table)
    store.write("set.parquet", table.getvalue())
    found = find_photos([url])
    assert [photo.name for photo in found] == [
        f"{url}/{name}" for name in ("a.png", "b.jpg", "deep/c.webp", "nosuffix")
    ]
    assert found.skipped == {".txt": 1, ".tar": 1, ".parquet": 1}
    assert {photo.path for photo in found} == {None}
    assert found.photos[0].read() == picture()
    assert names(f"{url}/b.jpg") == [f"{url}/b.jpg"]
    assert names(f"{url}/deep/") == [f"{url}/deep/c.webp"]
    assert names(f"{url}/*.[jp]*g", f"{url}/**/*.webp") == [f"{url}/a.png", f"{url}/b.jpg", f"{url}/deep/c.webp"]
    (member,) = find_photos([f"{url}/set.tar"])
    assert (member.name, member.read()) == (f"{url}/set.tar::in.png", picture(4))
    (row,) = find_photos([f"{url}/set.parquet"])
    assert (row.name, row.read()) == (f"{url}/set.parquet::0", picture(7))
    with pytest.raises(UserError, match=r"there is no object memory://.*/photos/absent\.jpg"):
        find_photos([f"{url}/absent.jpg"])


def test_nothing_found_names_what_was_left_out(tmp_path):
    put(tmp_path / "notes.md", b"")
    with pytest.raises(UserError, match=r"no photograph in .*\(1 file left out as no photographs: 1 \.md\)"):
        find_photos([tmp_path])
