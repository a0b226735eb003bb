"""The script of `deploy render --target slurm` on two nodes of a real Slurm: preempted, queued again, finished."""

import json
import shutil
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.cluster.deploy.live.two_slurmd import PORTS_OF_A_JOB, missing, two_slurmd
from tests.cluster.deploy.rendered import rendered
from tests.e2e.command import ROOT, TINY, synfiqa

pytestmark = [pytest.mark.ray, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(2400)]

PATIENCE_S = 900.0
SETTINGS = {**TINY, "placement.device": "cpu", "placement.object_store_mb": 200, "train.epochs": 1}
UNFINISHED = ("PENDING", "RUNNING", "COMPLETING", "REQUEUED")
SHIM = """#!/usr/bin/env bash
# Both nodes are this machine: the second one takes the ports of the next job.
words=()
for word in "$@"; do
  if [ "${{SLURMD_NODENAME:-}}" = {second} ] && [[ "$word" =~ ^(--.*port)=([0-9]+)$ ]]; then
    word="${{BASH_REMATCH[1]}}=$((BASH_REMATCH[2] + {ports}))"
  fi
  words+=("$word")
done
exec {ray} "${{words[@]}}"
"""


def test_a_preempted_job_is_queued_again_and_its_dataset_is_that_of_a_quiet_run(capsys, tmp_path):
    if reason := missing():
        pytest.skip(reason)
    run, quiet = tmp_path / "run", tmp_path / "quiet"
    sets = [part for name, value in SETTINGS.items() for part in ("--set", f"{name}={value}")]
    options = ("--run", str(run), "--nodes", "2", "--cpus", "2", *sets)
    script = tmp_path / "job.sh"
    script.write_text(rendered(capsys, "slurm", *options, config=str(ROOT / "configs/quickstart.yaml")))
    with two_slurmd() as slurm:
        tools = bin_folder(tmp_path / "bin", slurm.nodes[1])
        number = slurm.run("sbatch", "--parsable", str(script), SYNFIQA_BIN=str(tools), PYTHONPATH=str(ROOT))
        log = slurm.folder / f"synfiqa-run-{number}.log"
        try:
            until("a commit", lambda: len(list((run / "commits").glob("*.json"))) > 1, log)
            assert slurm.job(number)["JobState"] == "RUNNING"
            assert [found.info["name"] for found in of_job(number)].count("raylet") == 2, "one Ray over both nodes"
            # A busy machine may have failed to start Ray, after which the script queues the job again too.
            before = int(slurm.job(number)["Restarts"])
            committed = {path.name: path.read_bytes() for path in (run / "commits").glob("*.json")}
            slurm.run(
                "sbatch", "--partition=urgent", "--nodes=2", "--exclusive", "--wrap=sleep 1", "--output=/dev/null"
            )
            until("the job is queued again", lambda: int(slurm.job(number)["Restarts"]) > before, log)
            assert not (run / "dataset.json").exists(), "the dataset was complete before the job was preempted"
            until("the job runs again", lambda: slurm.job(number)["JobState"] == "RUNNING", log)
            until("the job ends", lambda: slurm.job(number)["JobState"] not in UNFINISHED, log)
            assert slurm.job(number)["JobState"] == "COMPLETED", log.read_text()
        finally:
            slurm.run("scancel", number)
            # Daemons that end would leave the steps of a job behind.
            until("no job is left", lambda: not slurm.run("squeue", "--noheader"), log)
            for left in of_job(number):
                left.kill()
            shutil.rmtree(f"/tmp/ray_{number}", ignore_errors=True)
    after = {path.name: path.read_bytes() for path in (run / "commits").glob("*.json")}
    assert {name: after[name] for name in committed} == committed, "a committed unit was made again"
    assert (run / "report").exists()
    result = synfiqa("generate", quiet, timeout=PATIENCE_S, placement__workers=1)
    assert result.returncode == 0, result.stderr
    assert digest(run) == digest(quiet)


def digest(run: Path) -> str:
    return json.loads((run / "dataset.json").read_text())["digest"]


def of_job(number: str) -> list[psutil.Process]:
    """Return the processes of a job's Ray, by the temporary folder that the script gives to it."""
    scratch = f"/tmp/ray_{number}/"
    found = psutil.process_iter(["name", "cmdline"])
    return [process for process in found if scratch in " ".join(process.info["cmdline"] or ())]


def bin_folder(folder: Path, second: str) -> Path:
    """Return a folder with synfiqa and ray, as the bin folder of an environment on shared storage has them."""
    own = Path(sys.executable).parent
    folder.mkdir()
    (folder / "synfiqa").symlink_to(own / "synfiqa")
    (folder / "ray").write_text(SHIM.format(second=second, ports=PORTS_OF_A_JOB, ray=own / "ray"))
    (folder / "ray").chmod(0o755)
    return folder


def until(what, condition, log):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        said = log.read_text() if log.exists() else "(no log)"
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE_S:g} s: {said}"
        time.sleep(0.5)
