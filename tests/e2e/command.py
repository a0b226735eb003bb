"""Running synfiqa the way a user does: as a process, with a tiny config."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
TINY = {
    "run.seed": 11,
    "generate.identities": 8,
    "generate.candidates_per_unit": 5,
    "generate.identities_per_shard": 2,
    "generate.references": 2,
    "generate.degraded": 6,
    "train.epochs": 2,
    "train.batch_size": 8,
    "evaluate.fmr": "[0.1]",
    "evaluate.bootstrap": 20,
}


def command(job: str, run: Path | str, **settings: object) -> list[str]:
    """The command line of a job on the tiny config; keyword names use __ for the dot."""
    merged = {**TINY, **{name.replace("__", "."): value for name, value in settings.items()}}
    sets = [part for name, value in merged.items() for part in ("--set", f"{name}={value}")]
    return [
        sys.executable,
        "-m",
        "synfiqa.jobs.cli",
        job,
        str(ROOT / "configs/quickstart.yaml"),
        "--run",
        str(run),
        *sets,
    ]


def synfiqa(
    job: str,
    run: Path | str,
    timeout: float = 400,
    environment: Mapping[str, str] | None = None,
    **settings: object,
) -> subprocess.CompletedProcess:
    """Run a job to its end, with these variables added to its environment."""
    return subprocess.run(
        command(job, run, **settings),
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def kill_after_commits(job: str, run: Path, commits: int, pattern: str, **settings: object) -> None:
    """Start a job and SIGKILL its driver as soon as so many commits exist."""
    process = subprocess.Popen(
        command(job, run, **settings), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 400
    while len(list((run / "commits").glob(pattern))) < commits:
        assert process.poll() is None, "the job ended before it could be killed"
        assert time.monotonic() < deadline, "no commit came"
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def commits(run: Path) -> dict[str, dict]:
    """All commits of a run folder by file name."""
    return {path.name: json.loads(path.read_text()) for path in sorted((run / "commits").glob("*.json"))}


def content(run: Path) -> dict[str, str]:
    """What a run made: the content and file digest of each commit."""
    return {name: commit["content_sha256"] + commit["file"]["sha256"] for name, commit in commits(run).items()}
