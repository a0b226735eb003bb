"""The lease of a run: names its driver, refuses a second one and replaces a silent one."""

# The lease saves work; correctness does not depend on it where there are commits, since equal recipes commit equal
# content. Results without commits (labels, models, evaluations) are written only after a check of the lease.

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from synfiqa.cluster.run.lease_record import (
    LeaseRecord,
    LeaseView,
    clock_text,
    encode_lease,
    epoch_path,
    newest_content,
    newest_epoch,
    newest_lease,
    owner_of,
    owner_state,
    parse_lease,
)
from synfiqa.cluster.run.process_identity import born, machine
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.log_lines import bound, emit
from synfiqa.cluster.telemetry.run_metrics import lease_ended, lease_renewed, phase_progress
from synfiqa.schemas.errors import JobFailed, RunHeld, StorageRefused, StorageUnavailable

FIRST_BEAT_S = 1.0
"""Seconds until the first heartbeat, which detects a second driver on a store without create-if-absent."""

RECENT_S = 1.0
"""Age in seconds up to which a check of the lease is reused between many small writes, to save requests."""

_JOIN_S = 5.0


@dataclass(frozen=True)
class Claim:
    """Epoch and owner of a lease, with which workers check that their driver still holds the run.

    A driver that is silent for `ttl_s` seconds may be replaced.
    """

    # Workers write also while their driver is suspended, so they must check for themselves.
    storage: Storage
    epoch: int
    owner: str
    ttl_s: float

    def check(self) -> None:
        """Read the store and raise RunHeld when another driver has taken the run over."""
        if lost := _taken_over(self.storage, self.epoch, self.owner):
            raise RunHeld(lost)


class Lease:
    """Epoch held by this process, renewed by a heartbeat thread; made and ended by `hold`."""

    def __init__(self, storage: Storage, epoch: int, record: LeaseRecord) -> None:
        self.epoch = epoch
        self._storage = storage
        self._record = record
        self._progress: dict[str, Any] = {}
        self._lost = ""
        self._interval = record.ttl_s / 3
        self._tried = time.monotonic()
        self._confirmed = self._tried
        # A check between the heartbeat's own check and its write would let each of two racing drivers find the other.
        self._lock = threading.Lock()
        self._ended = threading.Event()
        lease_renewed(storage.uri(), record.ttl_s)
        self._thread = threading.Thread(target=self._beat_until_ended, name=f"lease-{epoch}", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise RunHeld when another driver has taken the run over; cheap enough for every result."""
        if not self._lost and time.monotonic() - self._tried > 2 * self._interval:
            # The heartbeat is late, as after SIGSTOP: this thread may have resumed first.
            self._tolerate_outage(self._refresh)
        if self._lost:
            raise RunHeld(self._lost)

    def confirm(self, within_s: float = 0.0) -> None:
        """Read the store unless that was done within so many seconds, and raise RunHeld as `check` does.

        For writes of the driver that no commit protects: the last heartbeat may be `ttl_s` / 3 old, and another driver
        may have taken the run over since. StorageUnavailable or StorageRefused when the read fails.
        """
        if not self._lost and time.monotonic() - self._confirmed >= within_s:
            with self._lock:
                self._refresh()
        if self._lost:
            raise RunHeld(self._lost)

    @property
    def claim(self) -> Claim:
        """The epoch and owner of this lease, for workers."""
        return Claim(self._storage, self.epoch, self._record.owner, self._record.ttl_s)

    def report(self, snapshot: Mapping[str, Any]) -> None:
        """Write the progress of the job with the next heartbeat; the values must be JSON."""
        self._progress = dict(snapshot)
        phase_progress(self._storage.uri(), snapshot)

    def end(self) -> None:
        """Stop the heartbeat and mark the epoch as released, if the store permits it."""
        self._ended.set()
        self._thread.join(_JOIN_S)
        # A heartbeat that hangs in an outage may still write: then the next driver waits for the epoch to expire.
        if not self._thread.is_alive():
            self._tolerate_outage(lambda: self._beat(released=True))
        lease_ended(self._storage.uri())

    def _beat_until_ended(self) -> None:
        pause = min(FIRST_BEAT_S, self._interval)
        while not self._ended.wait(pause):
            self._tolerate_outage(self._beat)
            pause = self._interval

    def _tolerate_outage(self, action: Callable[[], None]) -> None:
        # An outage must not end the job here: its own requests end it when their retry budget is spent.
        try:
            with self._lock:
                action()
        except Exception as error:
            if not isinstance(error, StorageRefused | StorageUnavailable | OSError):
                emit(f"the lease could not be renewed ({type(error).__name__}: {error})", "warning")
        self._tried = time.monotonic()

    def _beat(self, released: bool = False) -> None:
        self._refresh()
        if self._lost:
            return
        update = {"beat": self._record.beat + 1, "progress": self._progress, "released": released}
        self._record = self._record.model_copy(update=update)
        self._storage.write(epoch_path(self.epoch), encode_lease(self._record))
        lease_renewed(self._storage.uri(), self._record.ttl_s)

    def _refresh(self) -> None:
        began = time.monotonic()
        self._lost = self._lost or _taken_over(self._storage, self.epoch, self._record.owner)
        self._confirmed = began


@contextmanager
def hold(
    storage: Storage, ttl_s: float, job: str = "generate", notify: Callable[[str], None] | None = None
) -> Iterator[Lease]:
    """Hold the run inside the block, or raise RunHeld naming the driver that does.

    A driver without a heartbeat for its own `ttl_s`, or whose process on this machine has ended, is replaced. `notify`
    is called once with a text when that takes time (by default it writes a line to stderr).
    """
    lease = _acquire(storage, ttl_s, job, notify or _write_line)
    try:
        with bound(run=storage.uri()):
            yield lease
    finally:
        lease.end()


def require_held(lease: Lease | None, within_s: float = 0.0) -> None:
    """Raise RunHeld when the run was taken over from this lease (see `Lease.confirm`); do nothing without one."""
    if lease is not None:
        lease.confirm(within_s)


def while_held[T](results: Iterable[T], lease: Lease) -> Iterator[T]:
    """Yield results while this process holds the run; RunHeld when it was taken over, also where that is why they fail.

    A driver that was suspended finds its workers ended, because their run had another driver by then.
    """
    try:
        for result in results:
            lease.check()
            yield result
    except JobFailed:
        lease.check()
        raise


def _taken_over(storage: Storage, epoch: int, owner: str) -> str:
    """Return a sentence naming the driver that has taken the run over, empty when the owner still holds it.

    A later epoch is a take-over, and so is another owner of this one.
    """
    newest = newest_epoch(storage)
    if newest < epoch:
        return ""
    try:
        record = parse_lease(storage.read(epoch_path(newest)))
    except FileNotFoundError:
        return ""
    if newest == epoch and (record is None or record.owner == owner):
        return ""
    by = f"{record.host} pid {record.pid} at {clock_text(record.started)}" if record else "another driver"
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
            # Some stores show an object while it is written: the read after the create found it incomplete.
            return Lease(storage, seen.epoch, seen.record)
        if seen is not None and not _wait_until_free(storage, seen, ttl_s, notify):
            continue
        epoch = 1 if seen is None else seen.epoch + 1
        mine = mine.model_copy(update={"started": datetime.now(UTC).isoformat(timespec="seconds")})
        # Without create-if-absent both of two racing creates return True: the owner in the object decides.
        if storage.create(epoch_path(epoch), encode_lease(mine)) and owner_of(storage, epoch) == mine.owner:
            return Lease(storage, epoch, mine)


def _wait_until_free(storage: Storage, seen: LeaseView, ttl_s: float, notify: Callable[[str], None]) -> bool:
    """Return True when the holder is gone, False when the epoch has changed; RunHeld when the holder is alive.

    Silence is measured on the store's clock or on this process's own, never by comparing clocks of two machines.
    """
    record = seen.record
    patience = ttl_s if record is None else record.ttl_s
    if record is not None:
        state = owner_state(record)
        if record.released or state == "gone":
            return True
        if state == "running" and seen.held:
            raise RunHeld(_held_message(storage, seen, patience))
    deadline = time.monotonic() + patience - max(seen.age_s or 0.0, 0.0)
    notified = False
    while True:
        # Taken before the read: this process may itself be suspended between the two.
        began = time.monotonic()
        epoch, data = newest_content(storage)
        if epoch != seen.epoch:
            return False
        if data != seen.data:
            latest = LeaseView(epoch, data, parse_lease(data), 0.0)
            if latest.record is not None and latest.record.released:
                return True
            raise RunHeld(_held_message(storage, latest, patience))
        if began >= deadline:
            return True
        if not notified:
            notified = True
            notify(
                f"held by {seen.holder()}: waiting up to {deadline - began:.0f} s for the next one, then taking over"
            )
        time.sleep(min(1.0, patience / 20, max(deadline - began, 0.001)))


def _held_message(storage: Storage, view: LeaseView, ttl_s: float) -> str:
    return (
        f"the run {storage.uri()} is held by {view.holder()}: wait for it to end, or end it; "
        f"a silent driver loses the run after {ttl_s:g} s"
    )


def _write_line(text: str) -> None:
    emit(f"the run is {text}", "warning")
