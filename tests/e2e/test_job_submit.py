"""`ray job submit` from a clean checkout to a cluster of three raylets that shares nothing but an S3 bucket."""

import json
import subprocess
import sys
import time

import pytest
from ray.job_submission import JobSubmissionClient

from synfiqa.cluster.run.lease_record import newest_lease
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.verify import verify_run
from tests.e2e.command import ROOT, TINY
from tests.e2e.ray_cluster import cluster

pytestmark = [pytest.mark.ray, pytest.mark.e2e, pytest.mark.timeout(900)]

PINNED = "{conditional_generator: {pool: b}, identity_generator: {pool: a}}"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clone") / "synfiqa"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", f"file://{ROOT}", folder], check=True)
    return folder


def wait_for(condition, seconds=300, unless=lambda: None):
    """Wait until something is so; what `unless` tells ends the wait at once."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert not (reason := unless()), reason
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def test_a_stopped_job_is_finished_by_the_same_command_and_the_credentials_stay_at_home(
    rclone, bucket, checkout, tmp_path
):
    rclone.make_bucket(bucket)
    seen = rclone.folder / bucket / "run"
    settings = TINY | {"placement.mode": "fused", "placement.workers": 1, "placement.labels": PINNED}
    sets = " ".join(f"--set '{name}={value}'" for name, value in settings.items())
    entrypoint = (
        f"{sys.executable} -m jobs.generate --config configs/quickstart.yaml --run {rclone.url(f'{bucket}/run')} {sets}"
    )
    with cluster(tmp_path, rclone.environment) as address:
        client = JobSubmissionClient(address)

        def submit():
            return client.submit_job(entrypoint=entrypoint, runtime_env={"working_dir": str(checkout)})

        first = submit()
        wait_for(
            lambda: len(list((seen / "commits").glob("shard-*.json"))) >= 1,
            unless=lambda: client.get_job_status(first).is_terminal() and client.get_job_logs(first),
        )
        client.stop_job(first)
        wait_for(lambda: client.get_job_status(first).is_terminal())
        assert client.get_job_status(first).value == "STOPPED"
        before = {path.name: path.read_bytes() for path in (seen / "commits").iterdir()}
        assert not newest_lease(Storage(str(seen))).held, "a job that is stopped gives the run back"

        second = submit()
        wait_for(lambda: client.get_job_status(second).is_terminal())
        logs = client.get_job_logs(second)
        assert client.get_job_status(second).value == "SUCCEEDED", logs
        metadata = json.dumps([job.model_dump() for job in client.list_jobs()], default=str)
        told = metadata + logs + client.get_job_logs(first)

    assert {name: (seen / "commits" / name).read_bytes() for name in before} == before
    found = verify_run(Storage(str(seen)))
    assert (found.problems, found.notes) == ([], [])
    assert found.summary.samples == 8 * (2 + 6)
    nodes = {json.loads(path.read_text())["provenance"]["node"] for path in (seen / "commits").glob("shard-*")}
    assert nodes, "each commit says where it was made"
    stored = b"".join(rclone.objects(bucket).values())
    for credential in (rclone.key, rclone.secret):
        assert credential not in told
        assert credential.encode() not in stored
