"""Runs a call once a node and driver session: the first worker of the node runs it, the others wait for it."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from synfiqa.schemas.errors import JobFailed

LOCK_TIMEOUT_S = 3600.0
"""How long a worker waits for another one of its node: fetching tens of gigabytes takes minutes."""
KEPT_S = 7 * 24 * 3600.0
"""Age from which records of other sessions are removed; removing one in use only repeats its set-up."""


def once_per_node(session: str, name: str, call: Callable[[], None]) -> bool:
    """Run `call` unless a process of this node has run it in this session; return whether it ran here.

    An error of the call passes and leaves no record, so that the next worker tries again. JobFailed when another
    process holds the lock for LOCK_TIMEOUT_S. A process that dies frees the lock.
    """
    try:
        folder = _folder(session)
    except OSError:
        # Without a temporary folder each process prepares the node: it costs time, and the call is idempotent.
        call()
        return True
    done = folder / f"{name}.done"
    if done.exists():
        return False
    try:
        with FileLock(folder / f"{name}.lock", timeout=LOCK_TIMEOUT_S):
            if done.exists():
                return False
            call()
            done.touch()
    except Timeout as error:
        raise JobFailed(
            f"another worker has held {folder} for {LOCK_TIMEOUT_S / 60:.0f} minutes: end it, and run the same command "
            "again"
        ) from error
    return True


def _folder(session: str) -> Path:
    root = Path(tempfile.gettempdir()) / f"synfiqa-nodes-{os.getuid()}"
    folder = root / session
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_old(root)
    return folder


def _remove_old(root: Path) -> None:
    oldest = time.time() - KEPT_S
    for folder in root.iterdir():
        with suppress(OSError):
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder)
