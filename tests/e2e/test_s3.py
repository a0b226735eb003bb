"""A whole run on S3, as a user makes it: the dataset of a local run, and credentials only in the environment."""

import json
import shutil
import tempfile
import uuid
from pathlib import Path

import pytest

from tests.e2e.command import content, synfiqa

pytestmark = [pytest.mark.ray, pytest.mark.e2e, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stored(rclone_server):
    """Everything in one command on rclone's S3: what it printed, what it stored, and what Ray logged meanwhile."""
    bucket = rclone_server.make_bucket(f"bucket-{uuid.uuid4().hex[:12]}")
    # Sockets of Ray live below this folder, and their names may not be long.
    ray_folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
    result = synfiqa(
        "run",
        rclone_server.url(f"{bucket}/team/run"),
        environment={**rclone_server.environment, "RAY_TMPDIR": str(ray_folder)},
        placement__workers=1,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    logs = {path: path.read_bytes() for path in ray_folder.rglob("*") if path.is_file()}
    shutil.rmtree(ray_folder)
    prefix = "team/run/"
    objects = {name.removeprefix(prefix): data for name, data in rclone_server.objects(bucket, prefix).items()}
    return result, objects, logs, bucket


def test_every_job_has_left_its_result(stored):
    _, objects, _, _ = stored
    folders = {name.partition("/")[0] for name in objects}
    assert {"run.json", "dataset.json", "identities", "samples", "commits", "labels", "models", "report"} <= folders
    assert b"<html" in objects["report/index.html"][:2000]
    assert not [name for name in objects if "/.tmp-" in f"/{name}"]
    assert [name for name in objects if name.startswith("models/") and name.endswith("evaluation.json")]


def test_what_the_store_can_do_is_recorded(stored):
    _, objects, _, _ = stored
    assert json.loads(objects["run.json"])["store"] == {"create_if_absent": "last writer wins"}


def test_the_dataset_equals_one_made_on_a_disk(stored, finished):
    _, objects, _, _ = stored
    commits = {name.removeprefix("commits/"): data for name, data in objects.items() if name.startswith("commits/")}
    there = {name: json.loads(data) for name, data in commits.items()}
    digests = {name: commit["content_sha256"] + commit["file"]["sha256"] for name, commit in there.items()}
    assert digests == content(finished)
    here, remote = json.loads((finished / "dataset.json").read_bytes()), json.loads(objects["dataset.json"])
    assert here["digest"] == remote["digest"]


def test_credentials_are_in_no_object_no_output_and_no_log(stored, rclone_server):
    result, objects, logs, _ = stored
    shown = {**objects, **logs, "output": (result.stdout + result.stderr).encode()}
    assert len(logs) > 5
    for secret in (rclone_server.secret, rclone_server.key):
        assert [str(name) for name, data in shown.items() if secret.encode() in data] == []


def test_refused_credentials_end_a_job_with_the_remedy(stored, rclone_server):
    _, _, _, bucket = stored
    environment = {**rclone_server.environment, "AWS_SECRET_ACCESS_KEY": "not-the-secret"}
    result = synfiqa("generate", rclone_server.url(f"{bucket}/team/run"), environment=environment)
    assert result.returncode == 2
    assert "the secret key does not match the access key (SignatureDoesNotMatch)" in result.stderr
    assert "Traceback" not in result.stderr
