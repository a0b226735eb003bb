"""Runs one documented command in the copied checkout, as a shell would."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.documented.commands.parse import shown
from tests.documented.commands.registry import Entry, normal

LIMIT_S = 900.0


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    ok: bool
    seconds: float
    output: str


def script_of(entry: Entry) -> list[str]:
    """Return the program and arguments that run the entry: a shell, or Python for a block of it."""
    blocks = {normal(one.text, python=True): one.text for one in shown() if one.python}
    if entry.command in blocks:
        return ["python", "-c", blocks[entry.command]]
    return ["bash", "-euo", "pipefail", "-c", re.sub(r"(^|&& )uv run ", r"\1", entry.line)]


def run(entry: Entry, checkout: Path, environment: Mapping[str, str], limit: float = LIMIT_S) -> Outcome:
    """Run the entry to its end; what is left of it is killed after `limit` seconds."""
    begun = time.monotonic()
    process = subprocess.Popen(
        script_of(entry),
        cwd=checkout,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        output += f"\nnot done after {limit:.0f} s"
    return Outcome(process.returncode == entry.code, time.monotonic() - begun, output)
