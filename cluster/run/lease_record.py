"""The lease files of a run: one numbered epoch for each driver, and their state as read by other processes."""

import json
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field, ValidationError

from synfiqa.cluster.run.process_identity import machine, process_state
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.errors import StorageRefused, StorageUnavailable
from synfiqa.schemas.manifest import Record

FOLDER = "lease"

CLOCK_STEP_S = 1.0
"""Resolution of the clock of object stores, subtracted from ages so that rounding expires no lease."""

_EPOCH = re.compile(rf"{FOLDER}/(\d{{6,}})\.json")

OwnerState = Literal["running", "gone", "unknown"]


class LeaseRecord(Record):
    """Content of `lease/NNNNNN.json`, one epoch of the lease; its owner alone rewrites it, at each heartbeat."""

    owner: str
    job: str
    host: str
    machine: str = Field("", description="boot and process namespace in which the pid is valid; empty if unknown")
    pid: int
    born: str = Field("", description="start time of the process in kernel ticks; distinguishes a reused pid")
    started: str = Field(description="wall clock of the owner, for messages only")
    ttl_s: float = Field(gt=0)
    beat: int = 0
    progress: dict[str, Any] = Field(default_factory=dict, description="snapshot of the current phase")
    released: bool = False


@dataclass(frozen=True)
class LeaseView:
    """The newest epoch as read by another process; `record` is None when it cannot be parsed."""

    epoch: int
    data: bytes
    record: LeaseRecord | None
    age_s: float | None
    """Seconds since the last heartbeat by the store's own clock; None when that is unknown."""

    @property
    def held(self) -> bool:
        """Whether the driver has to be treated as alive."""
        if self.record is None or self.record.released or owner_state(self.record) == "gone":
            return False
        return self.age_s is None or self.age_s < self.record.ttl_s

    def holder(self) -> str:
        """Return job, host, pid, start and last heartbeat of the driver as text."""
        if self.record is None:
            return f"a driver whose {epoch_path(self.epoch)} is not readable"
        record = self.record
        sign = "unknown" if self.age_s is None else f"{self.age_s:.0f} s ago"
        return (
            f"{record.job} on {record.host} (pid {record.pid}) since {clock_text(record.started)}, "
            f"last sign of life {sign}"
        )


def newest_lease(storage: Storage) -> LeaseView | None:
    """Return the newest epoch, or None when the run never had a driver; leaves the run folder unchanged."""
    epoch, data = newest_content(storage)
    if not epoch:
        return None
    record = parse_lease(data)
    # Reading the store's clock writes a probe, which a run without a driver does not need.
    unneeded = record is not None and (record.released or owner_state(record) == "gone")
    # The content is read first: an age that belongs to a later heartbeat only makes the holder look younger.
    return LeaseView(epoch, data, record, None if unneeded else _age(storage, epoch_path(epoch)))


def newest_content(storage: Storage) -> tuple[int, bytes]:
    """Return the number and the bytes of the newest epoch; (0, b"") without one."""
    while epoch := newest_epoch(storage):
        try:
            return epoch, storage.read(epoch_path(epoch))
        except FileNotFoundError:
            # Only superseded epochs are removed, so there must be a later one.
            time.sleep(0.01)
    return 0, b""


def newest_epoch(storage: Storage) -> int:
    """Return the highest epoch number; 0 without an epoch."""
    names = map(_EPOCH.fullmatch, storage.list(FOLDER))
    return max((int(name[1]) for name in names if name), default=0)


def owner_of(storage: Storage, epoch: int) -> str:
    """Return the owner of an epoch; empty when the file is missing or cannot be parsed."""
    try:
        record = parse_lease(storage.read(epoch_path(epoch)))
    except FileNotFoundError:
        return ""
    return "" if record is None else record.owner


def owner_state(record: LeaseRecord) -> OwnerState:
    """Return whether the owner's process runs; unknown on another machine and for a stopped process."""
    if not record.machine or record.machine != machine():
        return "unknown"
    state, start = process_state(record.pid)
    if not state or state in "ZX" or start != record.born:
        return "gone"
    return "unknown" if state in "Tt" else "running"


def epoch_path(epoch: int) -> str:
    """Return the path of an epoch: `lease/000012.json`."""
    return f"{FOLDER}/{epoch:06d}.json"


def encode_lease(record: LeaseRecord) -> bytes:
    """Return the bytes of a lease file."""
    return json.dumps(record.model_dump(mode="json"), indent=1).encode() + b"\n"


def parse_lease(data: bytes) -> LeaseRecord | None:
    """Return the record in the bytes of a lease file; None when they cannot be parsed."""
    try:
        return LeaseRecord.model_validate_json(data)
    except ValidationError:
        return None


def clock_text(started: str) -> str:
    """Return an ISO time as UTC text, without the date when it is today's."""
    try:
        moment = datetime.fromisoformat(started).astimezone(UTC)
    except ValueError:
        return started
    return moment.strftime("%H:%M:%S UTC" if moment.date() == datetime.now(UTC).date() else "%Y-%m-%d %H:%M:%S UTC")


def _age(storage: Storage, path: str) -> float | None:
    try:
        now = storage.now()
        modified = {entry.path: entry.modified for entry in storage.stat(FOLDER)}.get(path)
    except (StorageRefused, StorageUnavailable, OSError):
        # Reading the store's clock needs permission to write.
        return None
    step = 0.0 if storage.local() else CLOCK_STEP_S
    return None if modified is None else max(now - modified - step, 0.0)
