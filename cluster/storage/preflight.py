"""Tests a store before a job loads a model: tries every kind of request once."""

import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path

from synfiqa.cluster.storage.base import TMP
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.errors import StorageRefused, UserError
from synfiqa.schemas.manifest import StoreTraits

BUDGET_S = 30.0
"""Retry budget in seconds at the start of a job; later requests have the run's whole budget."""
SPARE_BYTES = 256 * 2**20
"""Bytes a disk must have free beside the data, for logs, checkpoints and other users."""

_PROBE = b"synfiqa"
_LISTING_S = 5.0


def preflight(storage: Storage, needed_bytes: int = 0) -> StoreTraits:
    """Write, read, list and delete a probe, test create-if-absent, check the free disk; return the store's traits.

    StorageRefused for a refused request, StorageUnavailable for a store that cannot be reached, UserError for a disk
    without room for `needed_bytes`. The probe is removed.
    """
    brief = Storage(storage.url, min(storage.retry_budget_s, BUDGET_S))
    if (folder := brief.local()) is not None:
        _require_room(folder, needed_bytes)
    place = f"{TMP}{uuid.uuid4().hex}"
    probe = f"{place}/{TMP}probe"
    try:
        brief.write(probe, _PROBE)
        if brief.read(probe) != _PROBE:
            raise StorageRefused(
                f"the run folder {storage.uri()} returned other bytes than written; choose another with --run"
            )
        if not _listed(brief, place, probe):
            raise StorageRefused(
                f"the run folder {storage.uri()} does not list what was written; choose another with --run"
            )
    except BaseException:
        # Cleaning up may fail as well; do not mask the original error.
        with suppress(Exception):
            brief.delete(probe)
        brief.prune(place)
        raise
    brief.delete(probe)
    brief.prune(place)
    if brief.exists(probe):
        raise StorageRefused(f"the run folder {storage.uri()} keeps deleted files; choose another with --run")
    return StoreTraits(create_if_absent="enforced" if brief.enforces_create() else "last writer wins")


def _listed(storage: Storage, place: str, probe: str) -> bool:
    # Some stores list a new object only some time after it can be read.
    deadline = time.monotonic() + _LISTING_S
    while True:
        if any(entry.path == probe for entry in storage.stat(place)):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)


def _require_room(folder: Path, needed_bytes: int) -> None:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < needed_bytes + SPARE_BYTES:
        raise UserError(
            f"the disk of {folder} has {free / 2**30:.1f} GiB free, the run needs "
            f"{(needed_bytes + SPARE_BYTES) / 2**30:.1f} GiB; make room, or choose another folder with --run"
        )
