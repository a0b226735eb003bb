"""Who drives a run: a lease of numbered epochs, so that a second driver is told and a silent one is replaced.

The lease saves work and says who is at it. Safety never depends on it where there are commits: they do no harm whoever
makes them. What has none (labels, models, evaluations) is written after a look at the lease.
"""

import json
import os
import re
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field, ValidationError

from synfiqa.cluster.run.process_identity import born, machine, process_state
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.errors import RunHeld, StorageRefused, StorageUnavailable
from synfiqa.schemas.manifest import Record

FOLDER = "lease"
FIRST_BEAT_S = 1.0
"""Two drivers that a store without create-if-absent let through together find out after so long."""

RECENT_S = 1.0
"""A look at the store so short ago is enough for one of many small writes, which would each take longer for it."""

CLOCK_STEP_S = 1.0
"""Stores of objects tell times in whole seconds: nobody is called silent because of what rounding adds."""

_EPOCH = re.compile(rf"{FOLDER}/(\d{{6,}})\.json")
_JOIN_S = 5.0

Life = Literal["running", "gone", "unknown"]


class LeaseRecord(Record):
    """One epoch of the lease, `lease/NNNNNN.json`; only its owner rewrites it, with the next beat."""

    owner: str
    job: str
    host: str
    machine: str = Field(
        "", description="boot and process namespace within which a pid means something; empty if unknown"
    )
    pid: int
    born: str = Field("", description="when the kernel started the process, in its own count; tells a reused pid")
    started: str = Field(description="wall clock of the owner, for people")
    ttl_s: float = Field(gt=0)
    beat: int = 0
    progress: dict[str, Any] = Field(default_factory=dict, description="snapshot of the phase under way")
    released: bool = False


@dataclass(frozen=True)
class LeaseView:
    """The newest epoch as another process sees it. `record` is None when it is not readable."""

    epoch: int
    data: bytes
    record: LeaseRecord | None
    age_s: float | None
    """Seconds since the last sign of life by the store's own clock; None when the store would not say."""

    @property
    def held(self) -> bool:
        """Whether a driver has to be taken for alive."""
        if self.record is None or self.record.released or _life(self.record) == "gone":
            return False
        return self.age_s is None or self.age_s < self.record.ttl_s

    def holder(self) -> str:
        """Say who it is: job, host, pid, since when, last sign of life."""
        if self.record is None:
            return f"a driver whose {_path(self.epoch)} is not readable"
        record = self.record
        sign = "unknown" if self.age_s is None else f"{self.age_s:.0f} s ago"
        return (
            f"{record.job} on {record.host} (pid {record.pid}) since {_clock(record.started)}, last sign of life {sign}"
        )


@dataclass(frozen=True)
class Claim:
    """Proves to the workers of a driver that it holds an epoch: they write beside it, also while it is frozen."""

    storage: Storage
    epoch: int
    owner: str

    def check(self) -> None:
        """Look at the store and raise RunHeld when another driver has taken the run over."""
        if lost := _taken_over(self.storage, self.epoch, self.owner):
            raise RunHeld(lost)


class Lease:
    """The epoch that this process holds; `hold` makes it and ends it."""

    def __init__(self, storage: Storage, epoch: int, record: LeaseRecord) -> None:
        self.epoch = epoch
        self._storage = storage
        self._record = record
        self._progress: dict[str, Any] = {}
        self._lost = ""
        self._interval = record.ttl_s / 3
        self._looked = time.monotonic()
        self._confirmed = self._looked
        # A look between the heart's own look and its write would let two racing drivers both find the other's name.
        self._turn = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._live, name=f"lease-{epoch}", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise RunHeld when another driver has taken the run over; cheap enough for every result."""
        if not self._lost and time.monotonic() - self._looked > 2 * self._interval:
            # The heart has missed a beat, as after SIGSTOP: this thread may have woken before it.
            self._attempt(self._look)
        if self._lost:
            raise RunHeld(self._lost)

    def confirm(self, within_s: float = 0.0) -> None:
        """Look at the store unless that was done within so many seconds, and raise RunHeld as `check` does.

        For what the driver itself writes and no commit protects: a beat may be a third of `ttl_s` old, and then the
        run is another's already. StorageUnavailable or StorageRefused when the look fails.
        """
        if not self._lost and time.monotonic() - self._confirmed >= within_s:
            with self._turn:
                self._look()
        if self._lost:
            raise RunHeld(self._lost)

    @property
    def claim(self) -> Claim:
        """Return what a worker needs to find out whether the run is still held by its driver."""
        return Claim(self._storage, self.epoch, self._record.owner)

    def report(self, snapshot: Mapping[str, Any]) -> None:
        """Let the next beat tell how far the job is; the values must be JSON."""
        self._progress = dict(snapshot)

    def end(self) -> None:
        """Stop beating and mark the epoch released, as far as the store lets it."""
        self._ended.set()
        self._thread.join(_JOIN_S)
        # A heart that hangs in an outage may yet write: then the next driver waits for the epoch to expire.
        if not self._thread.is_alive():
            self._attempt(lambda: self._beat(released=True))

    def _live(self) -> None:
        pause = min(FIRST_BEAT_S, self._interval)
        while not self._ended.wait(pause):
            self._attempt(self._beat)
            pause = self._interval

    def _attempt(self, action: Callable[[], None]) -> None:
        # An outage must not end the job: it ends by itself when its own requests run out of patience.
        try:
            with self._turn:
                action()
        except Exception as error:
            if not isinstance(error, StorageRefused | StorageUnavailable | OSError):
                sys.stderr.write(f"synfiqa: the lease could not be renewed ({type(error).__name__}: {error})\n")
        self._looked = time.monotonic()

    def _beat(self, released: bool = False) -> None:
        self._look()
        if self._lost:
            return
        update = {"beat": self._record.beat + 1, "progress": self._progress, "released": released}
        self._record = self._record.model_copy(update=update)
        self._storage.write(_path(self.epoch), _json(self._record))

    def _look(self) -> None:
        began = time.monotonic()
        self._lost = self._lost or _taken_over(self._storage, self.epoch, self._record.owner)
        self._confirmed = began


@contextmanager
def hold(
    storage: Storage, ttl_s: float, job: str = "generate", notify: Callable[[str], None] | None = None
) -> Iterator[Lease]:
    """Hold the run inside the block, or raise RunHeld naming the driver that does.

    A driver that is silent for its own `ttl_s`, or whose process is gone from this machine, is replaced. `notify` is
    told when that takes a while (a line on stderr by default).
    """
    lease = _acquire(storage, ttl_s, job, notify or _say)
    try:
        yield lease
    finally:
        lease.end()


def require_held(lease: Lease | None, within_s: float = 0.0) -> None:
    """Raise RunHeld when the run was taken over from this lease (see `Lease.confirm`); do nothing without one."""
    if lease is not None:
        lease.confirm(within_s)


def newest_lease(storage: Storage) -> LeaseView | None:
    """Return the newest epoch, or None when nobody has ever held the run. Changes nothing that others could notice."""
    epoch, data = _latest(storage)
    if not epoch:
        return None
    record = _parse(data)
    # The store's clock is asked with a probe, which nobody need write for a run without a driver.
    unneeded = record is not None and (record.released or _life(record) == "gone")
    # The content comes first: an age that belongs to a later beat only makes the holder look younger.
    return LeaseView(epoch, data, record, None if unneeded else _age(storage, _path(epoch)))


def _taken_over(storage: Storage, epoch: int, owner: str) -> str:
    """Return a sentence about who has taken the run over from the owner of an epoch, empty when nobody has.

    A later epoch is a take-over, and so is another name on this one.
    """
    newest = _newest_epoch(storage)
    if newest < epoch:
        return ""
    try:
        record = _parse(storage.read(_path(newest)))
    except FileNotFoundError:
        return ""
    if newest == epoch and (record is None or record.owner == owner):
        return ""
    by = f"{record.host} pid {record.pid} at {_clock(record.started)}" if record else "another driver"
    return (
        f"the run {storage.uri()} was taken over by {by}; this driver stops, nothing is lost: what it committed stays"
    )


def _acquire(storage: Storage, ttl_s: float, job: str, notify: Callable[[str], None]) -> Lease:
    mine = LeaseRecord(
        owner=uuid.uuid4().hex,
        job=job,
        host=socket.gethostname(),
        machine=machine(),
        pid=os.getpid(),
        born=born(os.getpid()),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        ttl_s=ttl_s,
    )
    while True:
        seen = newest_lease(storage)
        if seen is not None and seen.record is not None and seen.record.owner == mine.owner:
            # Ours after all: some stores show an object while it is being written, and the look back met that.
            return Lease(storage, seen.epoch, seen.record)
        if seen is not None and not _wait_until_free(storage, seen, ttl_s, notify):
            continue
        epoch = 1 if seen is None else seen.epoch + 1
        mine = mine.model_copy(update={"started": datetime.now(UTC).isoformat(timespec="seconds")})
        # A store without create-if-absent says True to both of two racing drivers: the object has the last word.
        if storage.create(_path(epoch), _json(mine)) and _owner(storage, epoch) == mine.owner:
            return Lease(storage, epoch, mine)


def _wait_until_free(storage: Storage, seen: LeaseView, ttl_s: float, notify: Callable[[str], None]) -> bool:
    """Return True when the holder is gone, False when things changed meanwhile; RunHeld when it lives.

    Silence is measured on the store's clock or on this process's own, never by comparing those of two machines.
    """
    record = seen.record
    patience = ttl_s if record is None else record.ttl_s
    if record is not None:
        life = _life(record)
        if record.released or life == "gone":
            return True
        if life == "running" and seen.held:
            raise RunHeld(_held(storage, seen, patience))
    deadline = time.monotonic() + patience - max(seen.age_s or 0.0, 0.0)
    told = False
    while True:
        # Taken before the look: this process may itself be stopped between the two.
        looked = time.monotonic()
        epoch, data = _latest(storage)
        if epoch != seen.epoch:
            return False
        if data != seen.data:
            latest = LeaseView(epoch, data, _parse(data), 0.0)
            if latest.record is not None and latest.record.released:
                return True
            raise RunHeld(_held(storage, latest, patience))
        if looked >= deadline:
            return True
        if not told:
            told = True
            notify(f"held by {seen.holder()}: waiting up to {deadline - looked:.0f} s for the next, or to take over")
        time.sleep(min(1.0, patience / 20, max(deadline - looked, 0.001)))


def _held(storage: Storage, view: LeaseView, ttl_s: float) -> str:
    return (
        f"the run {storage.uri()} is held by {view.holder()}: wait for it to end, or end it; "
        f"a silent driver loses the run after {ttl_s:g} s"
    )


def _latest(storage: Storage) -> tuple[int, bytes]:
    while epoch := _newest_epoch(storage):
        try:
            return epoch, storage.read(_path(epoch))
        except FileNotFoundError:
            # Only a superseded epoch is ever removed: there must be a later one.
            time.sleep(0.01)
    return 0, b""


def _newest_epoch(storage: Storage) -> int:
    names = map(_EPOCH.fullmatch, storage.list(FOLDER))
    return max((int(name[1]) for name in names if name), default=0)


def _age(storage: Storage, path: str) -> float | None:
    try:
        now = storage.now()
        modified = {entry.path: entry.modified for entry in storage.stat(FOLDER)}.get(path)
    except (StorageRefused, StorageUnavailable, OSError):
        # Somebody who may only read the folder cannot ask its clock.
        return None
    step = 0.0 if storage.local() else CLOCK_STEP_S
    return None if modified is None else max(now - modified - step, 0.0)


def _owner(storage: Storage, epoch: int) -> str:
    try:
        record = _parse(storage.read(_path(epoch)))
    except FileNotFoundError:
        return ""
    return "" if record is None else record.owner


def _path(epoch: int) -> str:
    return f"{FOLDER}/{epoch:06d}.json"


def _json(record: LeaseRecord) -> bytes:
    return json.dumps(record.model_dump(mode="json"), indent=1).encode() + b"\n"


def _parse(data: bytes) -> LeaseRecord | None:
    try:
        return LeaseRecord.model_validate_json(data)
    except ValidationError:
        return None


def _clock(started: str) -> str:
    try:
        moment = datetime.fromisoformat(started).astimezone(UTC)
    except ValueError:
        return started
    return moment.strftime("%H:%M:%S UTC" if moment.date() == datetime.now(UTC).date() else "%Y-%m-%d %H:%M:%S UTC")


def _life(record: LeaseRecord) -> Life:
    """Say whether the owner's process runs; unknown on another machine, and for a process that is stopped."""
    if not record.machine or record.machine != machine():
        return "unknown"
    state, start = process_state(record.pid)
    if not state or state in "ZX" or start != record.born:
        return "gone"
    return "unknown" if state in "Tt" else "running"


def _say(text: str) -> None:
    sys.stderr.write(f"synfiqa: the run is {text}\n")
    sys.stderr.flush()
