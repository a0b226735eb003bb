"""The layout of a run folder: every name has one role, and no path with `..` has one."""

import pytest

from synfiqa.cluster.run.file_roles import role_of
from tests.cluster.finished_run import finished_run


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("run.json", "manifest"),
        ("commits/unit-000000.json", "commit"),
        ("commits/shard-1234567.r012.json", "commit"),
        ("identities/unit-000000-0123456789ab.parquet", "data"),
        ("samples/shard-000000-0123456789ab.tar", "data"),
        ("dead/unit-000000-0123456789ab.parquet", "dead rows"),
        ("labels/a.b-c/shard-000000-0123456789ab.parquet", "label part"),
        ("models/x/checkpoints/a/b/c.pt", "model"),
        ("vectors/bundled-b-0123456789abcdef01234567.safetensors", "vectors"),
        ("attempts/session/key/mark", "attempt mark"),
        ("lease/000012.json", "lease"),
        ("events/set-up-0123456789ab.json", "event"),
        ("report/index.html", "report"),
        ("report/label-a.b.html", "report"),
        ("models/x/.tmp-anything", "unfinished write"),
    ],
)
def test_names_have_roles(path, role):
    assert role_of(path) == role


@pytest.mark.parametrize(
    "path",
    [
        "",
        "run.json/x",
        "x/run.json",
        "samples/../run.json",
        "samples/shard-00000-0123456789ab.parquet",
        "samples/shard-000000-0123456789AB.parquet",
        "samples/shard-000000-0123456789ab.parquet\n",
        "labels/../shard-000000-0123456789ab.parquet",
        "labels/.hidden/calibration.json",
        "commits/shard-000000.r1.json",
        "report/label-.html",
        "events/0123456789ab.json",
    ],
)
def test_other_names_have_no_role(path):
    assert role_of(path) is None


def test_everything_that_a_run_writes_has_a_role(tmp_path):
    storage, _, _ = finished_run(tmp_path)
    assert all(role_of(path) for path in storage.list())
