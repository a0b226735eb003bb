"""Verify reports every kind of damage by file, and nothing else."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from synfiqa.actors.stages.shard_writer import sample_counts
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.lease import hold
from synfiqa.cluster.run.manifest import OtherVersion
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.verify import Verification, verify_run
from synfiqa.schemas.errors import UserError
from tests.cluster.finished_run import commit_shard, commit_unit, finished_run, ledger_rows
from tests.cluster.synthetic import samples


@pytest.fixture(scope="module", params=["parquet", "webdataset"])
def original(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / request.param
    _, _, run = finished_run(folder, request.param)
    return folder, run


@pytest.fixture
def damaged(original, tmp_path):
    """A copy of the finished run to be damaged by a test: folder, storage, store, config."""
    folder = tmp_path / "run"
    shutil.copytree(original[0], folder)
    storage = Storage(str(folder))
    fingerprint = json.loads((folder / "run.json").read_text())["fingerprint"]
    return folder, storage, ShardStore(storage, fingerprint, original[1].storage.format), original[1]


def named(found: Verification) -> list[tuple[str, str]]:
    return [(problem.kind, problem.path) for problem in found.problems]


def edit(path: Path, change: Callable[[dict], None]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def test_a_sound_run_has_a_root_totals_and_no_problem(damaged):
    _, storage, store, _ = damaged
    seen = []
    found = verify_run(storage, progress=lambda done, planned: seen.append((done, planned)))
    assert found.problems == []
    assert found.notes == []
    assert found.leftovers == {}
    assert found.summary.digest == store.dataset_digest()
    assert (found.summary.planned, found.summary.accepted, found.summary.samples) == (8, 6, 84)
    assert seen[-1] == (8, 8), "two units, three shards and a revision, a label part, a model"


def test_a_flipped_byte_a_deleted_file_and_a_foreign_file_are_reported(damaged):
    folder, storage, store, _ = damaged
    shards = store.committed("samples")
    flip(folder / shards[0].file.path, 200)
    (folder / shards[2].file.path).unlink()
    (folder / "samples" / "notes.txt").write_text("mine")
    assert named(verify_run(storage)) == sorted(
        [
            ("damaged", shards[0].file.path),
            ("missing", shards[2].file.path),
            ("foreign", "samples/notes.txt"),
        ],
        key=lambda problem: problem[1],
    )


@pytest.mark.parametrize("place", [0, 1000, -1])
def test_every_byte_of_a_shard_counts(damaged, place):
    folder, storage, store, _ = damaged
    path = store.committed("samples")[0].file.path
    flip(folder / path, place)
    assert named(verify_run(storage)) == [("damaged", path)]


def test_short_and_long_files_have_different_problems(damaged):
    folder, storage, store, _ = damaged
    first, second = (store.committed("samples")[number].file for number in (0, 2))
    (folder / first.path).write_bytes((folder / first.path).read_bytes()[:-5])
    (folder / second.path).write_bytes((folder / second.path).read_bytes() + b"x")
    found = dict(zip(*reversed(list(zip(*named(verify_run(storage)), strict=True))), strict=True))
    assert found == {first.path: "short", second.path: "long"}


def test_the_dead_rows_of_a_superseded_revision_are_read_too(damaged):
    folder, storage, store, _ = damaged
    path = store.get("samples", 1).dead.path
    flip(folder / path, 100)
    assert named(verify_run(storage)) == [("damaged", path)]


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("content_sha256", "0" * 64, "damaged"),
        ("number", 7, "misnamed"),
        ("fingerprint", "0" * 64, "mixed"),
        ("schema_version", 1, "mixed"),
        ("counts", {"planned": 5, "accepted": 1, "rejected": 1, "dead": 1}, "counts"),
        ("counts", {"planned": 28, "accepted": 28, "dead": 0, "reference": 5, "degraded": 23}, "counts"),
        ("provenance", 3, "unreadable"),
    ],
)
def test_an_edited_commit_is_named(damaged, field, value, kind):
    folder, storage, _, _ = damaged
    edit(folder / "commits/shard-000000.json", lambda commit: commit.update({field: value}))
    assert (kind, "commits/shard-000000.json") in named(verify_run(storage))


def test_a_run_of_another_version_is_refused_and_not_reported_as_damaged(damaged):
    folder, storage, _, _ = damaged
    edit(folder / "run.json", lambda manifest: manifest.update(schema_version=4))
    with pytest.raises(OtherVersion, match="run folder of version 4"):
        verify_run(storage)


def test_a_commit_that_is_no_json_is_named_and_the_rest_is_read(damaged):
    folder, storage, _, _ = damaged
    (folder / "commits/unit-000001.json").write_bytes(b"\x00{")
    found = named(verify_run(storage))
    assert ("unreadable", "commits/unit-000001.json") in found
    assert not [path for _, path in found if path.startswith("samples/")]


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "run.json", "samples/shard-000001-0123456789ab.parquet"])
def test_a_commit_that_names_a_file_of_another_unit_is_not_followed(damaged, path):
    folder, storage, _, _ = damaged
    edit(folder / "commits/shard-000000.json", lambda commit: commit["file"].update(path=path))
    assert ("misnamed", "commits/shard-000000.json") in named(verify_run(storage))


def test_a_file_that_two_commits_name_is_a_duplicate(damaged):
    folder, storage, store, _ = damaged
    path = store.get("samples", 1).file.path
    edit(folder / "commits/shard-000001.r001.json", lambda commit: commit["file"].update(path=path))
    assert ("duplicate", path) in named(verify_run(storage))


def test_a_shard_beyond_the_plan_is_named(damaged):
    _, storage, store, _ = damaged
    table = samples(range(6, 8))
    store.commit("samples", 3, table, sample_counts(table, ()))
    assert ("out-of-plan", "commits/shard-000003.json") in named(verify_run(storage))


@pytest.mark.parametrize(
    ("rows", "kinds"),
    [
        (lambda table: table.slice(1), {"missing"}),
        (lambda table: samples(range(1, 3)), {"missing", "out-of-plan"}),
    ],
)
def test_rows_that_differ_from_the_plan_are_reported_although_every_checksum_is_right(tmp_path, rows, kinds):
    storage, store, _ = finished_run(tmp_path / "run")
    (tmp_path / "run/commits/shard-000000.json").unlink()
    table = rows(samples(range(2)))
    path = store.commit("samples", 0, table, sample_counts(table, ())).file.path
    assert {kind for kind, own in named(verify_run(storage)) if own == path} == kinds


def test_a_sample_that_is_in_two_rows_is_named(tmp_path):
    storage, store, _ = finished_run(tmp_path / "run")
    (tmp_path / "run/commits/shard-000000.json").unlink()
    table = samples(range(2)).slice(0, 27)
    doubled = table.take([*range(27), 3])
    path = store.commit("samples", 0, doubled, sample_counts(doubled, ())).file.path
    found = [problem for problem in verify_run(storage).problems if problem.path == path]
    assert {problem.kind for problem in found} == {"duplicate", "missing"}
    assert any("000000/1" in problem.text for problem in found)


def test_a_candidate_that_is_decided_twice_is_named(damaged):
    _, storage, store, _ = damaged
    table = ledger_rows(1, 3, 3, 1)
    counts = {"planned": 4, "accepted": 3, "rejected": 1, "dead": 0, "replayed": 0, "rejected:glasses": 1}
    store.commit("identities", 2, table, counts)
    found = verify_run(storage).problems
    assert any(problem.kind == "duplicate" and "decided twice: 4, 5, 6, ..." in problem.text for problem in found)
    assert any(problem.kind == "duplicate" and "exist twice: 3, 4, 5" in problem.text for problem in found)


@pytest.mark.parametrize("path", ["commits/unit-000000.json", "commits/shard-000001.json"])
def test_a_missing_commit_before_later_ones_is_reported(damaged, path):
    folder, storage, _, _ = damaged
    (folder / path).unlink()
    assert ("missing", path) in named(verify_run(storage))


def test_a_commit_missing_from_a_finished_run_is_reported(damaged):
    folder, storage, _, _ = damaged
    (folder / "commits/shard-000002.json").unlink()
    found = verify_run(storage)
    assert named(found) == [("missing", "commits/shard-000002.json"), ("mismatch", "dataset.json")]
    assert found.leftovers == {"data": 1}


def test_a_summary_of_another_dataset_is_a_mismatch(damaged):
    folder, storage, _, _ = damaged
    edit(folder / "dataset.json", lambda summary: summary.update(digest="0" * 64))
    assert named(verify_run(storage)) == [("mismatch", "dataset.json")]


def test_a_summary_older_than_a_replay_is_no_damage(damaged):
    folder, storage, store, _ = damaged
    commit_unit(store, 2, accepted=0, rejected=2)
    later = time.time() + 10
    os.utime(folder / "commits/unit-000002.json", (later, later))
    found = verify_run(storage)
    assert found.problems == []
    assert "older than the newest commits" in found.notes[0]
    assert "labels 'default' are older" in found.notes[1]


@pytest.mark.parametrize("path", ["run.json", "dataset.json", "labels/default/calibration.json"])
def test_an_unreadable_manifest_is_named(damaged, path):
    folder, storage, _, _ = damaged
    (folder / path).write_bytes(b"{")
    assert ("unreadable", path) in named(verify_run(storage))


def test_an_edited_recipe_is_named(damaged):
    folder, storage, _, _ = damaged
    edit(folder / "run.json", lambda manifest: manifest["recipe"].update(seed=99))
    assert ("damaged", "run.json") in named(verify_run(storage))


def test_labels_and_models_are_read_against_their_digests(damaged):
    folder, storage, _, _ = damaged
    part = next((folder / "labels/default").glob("shard-*"))
    flip(part, 20)
    flip(folder / "models/default/model.safetensors", 2)
    assert named(verify_run(storage)) == [
        ("damaged", part.relative_to(folder).as_posix()),
        ("damaged", "models/default/model.safetensors"),
    ]


def test_an_unfinished_run_is_no_damage(tmp_path):
    storage, store, run = finished_run(tmp_path / "run")
    for path in ("dataset.json", "commits/shard-000002.json"):
        (tmp_path / "run" / path).unlink()
    found = verify_run(storage)
    assert found.problems == []
    assert "unfinished: 1 of 3 shards are not committed yet, which is no damage" in found.notes[0]
    commit_shard(store, 2, run)
    assert verify_run(storage).notes == []


def test_leftovers_of_attempts_are_counted_and_no_problem(damaged):
    _, storage, _, _ = damaged
    for path in (
        "samples/shard-000000-aaaaaaaaaaaa.parquet",
        "dead/shard-000000-aaaaaaaaaaaa.parquet",
        "labels/default/shard-000000-aaaaaaaaaaaa.parquet",
        "attempts/session/samples-3/0",
        "samples/.tmp-0123",
    ):
        storage.write(path, b"12345")
    with hold(storage, 60):
        found = verify_run(storage)
    assert found.problems == []
    assert found.leftovers.total() == 5
    assert found.leftover_bytes == 25


@pytest.mark.parametrize(
    "path",
    [
        "notes.txt",
        "commits/shard-1.json",
        "commits/shard-000001.r000.json",
        "samples/shard-000000.parquet",
        "identities/unit-000000-0123456789ab.tar",
        "dead/samples-000001.json",
        "models/default/evil.pkl",
        "lease/holder",
        "report/page.js",
    ],
)
def test_files_outside_of_the_layout_are_foreign(damaged, path):
    _, storage, _, _ = damaged
    storage.write(path, b"x")
    assert named(verify_run(storage)) == [("foreign", path)]


def test_a_later_generation_is_not_verified_with_the_root(damaged):
    _, storage, _, _ = damaged
    storage.write("generation-000002/commits/nonsense", b"x")
    assert verify_run(storage).problems == []


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="no run folder"):
        verify_run(Storage(str(tmp_path)))


def test_the_result_does_not_depend_on_the_number_of_threads(damaged):
    folder, storage, store, _ = damaged
    flip(folder / store.committed("samples")[0].file.path, 50)
    assert verify_run(storage, threads=1).problems == verify_run(storage, threads=4).problems
