"""Making a benchmark: the same bytes however it is made, gone on with after a kill, never over other files."""

import hashlib
import json
import shutil

import pyarrow.parquet as pq
import pytest

from synfiqa.actors.imaging.codec import decode
from synfiqa.fiqa_train.rendered_benchmark import make
from synfiqa.fiqa_train.rendered_benchmark.folder import BASIS, DOCUMENT, Benchmark, problems
from synfiqa.fiqa_train.rendered_benchmark.make import make_benchmark
from synfiqa.fiqa_train.rendered_benchmark.plan import VERSION
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.rows import recipe_from_row
from tests.fiqa_train.rendered_benchmark.conftest import SMALL


def quiet(done, planned):
    pass


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_what_is_in_it(small):
    document = json.loads((small / DOCUMENT).read_bytes())
    assert document["version"] == VERSION
    assert document["settings"]["factors"] == ["yaw", "noise"]
    assert document["faces"].keys() == {"recipe_version", "face_sha256"}
    assert document["counts"] == {
        "identities": 3,
        "references": 6,
        "probes": 3 * (1 + 5 + 5 + 1),
        "factors": {"clean": 3, "yaw": 15, "noise": 15, "mixed": 3},
        "genuine": 36 * 2,
        "impostor": 36 * 2,
    }
    assert problems(small) == []
    rows = pq.read_table(small / "images.parquet").to_pylist()
    assert {path for path in digests(small) if path.startswith("data/")} == {row["path"] for row in rows}
    for row in rows[:3]:
        data = (small / row["path"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
        assert decode(data).shape == (112, 112, 3)
    steepest = next(row for row in rows if row["factor"] == "yaw" and row["step"] == 5)
    assert abs(steepest["yaw"]) == 75 == steepest["level"]
    assert recipe_from_row({**steepest, "kind": "degraded"}).seed == steepest["seed"]


def test_two_processes_make_the_same_bytes_and_a_killed_make_goes_on(small, tmp_path):
    again = tmp_path / "again"
    # what a killed make leaves: one identity whole, one with a broken image, one without its rows
    shutil.copytree(small / "data", again / "data")
    (again / "making").mkdir()
    made_from = {name: json.loads((small / DOCUMENT).read_bytes())[name] for name in make.basis(SMALL)}
    (again / BASIS).write_text(json.dumps(made_from))
    for number in (0, 1):
        make._make_identity(again, SMALL, number)
    (again / "data/000001/0.jpg").write_bytes(b"half a pict")
    shutil.rmtree(again / "data/000002")
    whole = again / "data/000000/0.jpg"
    age = whole.stat().st_mtime_ns
    told = []
    make_benchmark(again, SMALL, 2, lambda done, planned: told.append((done, planned)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert whole.stat().st_mtime_ns == age, "what was whole is not made again"
    assert digests(again) == digests(small)


def test_a_finished_one_is_left_alone(small):
    before = digests(small)
    document = make_benchmark(small, SMALL, 1, quiet)
    assert document == json.loads((small / DOCUMENT).read_bytes())
    assert digests(small) == before


def test_another_benchmark_is_never_mixed_with_it(small, tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"settings\.seed: 0 -> 1"):
        make_benchmark(small, SMALL.model_copy(update={"seed": 1}), 1, quiet)
    begun = tmp_path / "begun"
    (begun / "making").mkdir(parents=True)
    (begun / BASIS).write_text(json.dumps(make.basis(SMALL)))
    real = make.basis
    monkeypatch.setattr(make, "basis", lambda settings: {**real(settings), "faces": {"face_sha256": "of tomorrow"}})
    with pytest.raises(UserError, match=r"faces\.face_sha256"):
        make_benchmark(begun, SMALL, 1, quiet)


def test_other_files_are_never_written_over(tmp_path):
    (tmp_path / "holiday.jpg").write_text("sea")
    with pytest.raises(UserError, match="holds other files"):
        make_benchmark(tmp_path, SMALL, 1, quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]
    with pytest.raises(UserError, match="is no folder"):
        make_benchmark(tmp_path / "holiday.jpg", SMALL, 1, quiet)


def test_two_makes_do_not_meet(tmp_path):
    with make._locked(tmp_path / "b"), pytest.raises(UserError, match="another process"):
        make_benchmark(tmp_path / "b", SMALL, 1, quiet)


def test_damage_is_named(small, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(small, folder)
    (folder / "data/000001/3.jpg").write_bytes(b"x")
    (folder / "data/000002/Ref-0.jpg").unlink()
    (folder / "data/000000/mine.jpg").write_bytes(b"y")
    assert problems(folder) == [
        "damaged data/000001/3.jpg",
        "missing data/000002/Ref-0.jpg",
        "foreign data/000000/mine.jpg",
    ]
    document = json.loads((folder / DOCUMENT).read_bytes())
    (folder / DOCUMENT).write_text(json.dumps({**document, "digest": "0" * 64}))
    assert f"damaged {DOCUMENT}: its digest is not that of the tables" in problems(folder)
    (folder / "pairs.parquet").write_bytes(b"z")
    assert problems(folder) == ["damaged pairs.parquet"]


def test_a_folder_without_a_document_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match="make one first"):
        Benchmark.open(tmp_path)
    (tmp_path / "making").mkdir()
    (tmp_path / BASIS).write_text("{}")
    with pytest.raises(UserError, match="unfinished"):
        Benchmark.open(tmp_path)
