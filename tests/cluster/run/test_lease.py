"""The lease: a second driver is refused, a silent one is replaced, a resumed one stops by itself."""

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
import uuid

import pytest

from synfiqa.cluster.run.lease import hold, require_held
from synfiqa.cluster.run.lease_record import LeaseRecord, newest_lease
from synfiqa.cluster.run.process_identity import born, machine, process_state
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.errors import RunHeld, StorageUnavailable

QUIET = {"notify": lambda text: None}


@pytest.fixture(params=["local", "memory"])
def storage(request, tmp_path):
    return Storage(str(tmp_path / "run") if request.param == "local" else f"memory://lease-{uuid.uuid4().hex}")


@pytest.fixture
def local(tmp_path):
    return Storage(str(tmp_path / "run"))


def record(**changes) -> LeaseRecord:
    """Return the record of a driver on another machine."""
    fields = {
        "owner": "theirs",
        "job": "generate",
        "host": "far-away",
        "machine": "another boot",
        "pid": 4711,
        "born": "1",
        "started": "2031-01-01T12:30:05+00:00",
        "ttl_s": 0.4,
    }
    return LeaseRecord.model_validate(fields | changes)


def put(storage: Storage, epoch: int, record: LeaseRecord) -> None:
    storage.write(f"lease/{epoch:06d}.json", record.model_dump_json().encode())


def get(storage: Storage, epoch: int) -> dict:
    return json.loads(storage.read(f"lease/{epoch:06d}.json"))


def until(condition, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition was not met in time"
        time.sleep(0.01)


def lost(lease) -> bool:
    try:
        lease.check()
    except RunHeld:
        return True
    return False


def test_a_run_is_held_and_released_and_every_driver_takes_an_epoch_of_its_own(storage):
    assert newest_lease(storage) is None
    with hold(storage, 60) as first:
        first.check()
        seen = newest_lease(storage)
        assert seen.held
        assert (seen.epoch, seen.record.pid, seen.record.job) == (1, os.getpid(), "generate")
    assert not newest_lease(storage).held
    with hold(storage, 60, job="label"):
        assert newest_lease(storage).epoch == 2
        assert newest_lease(storage).record.job == "label"
    assert get(storage, 1)["released"]


def test_a_second_driver_is_refused_at_once_with_holder_and_remedy(storage):
    with hold(storage, 60) as first, pytest.raises(RunHeld) as refused, hold(storage, 60):
        pytest.fail("two drivers hold one run")
    message = str(refused.value)
    assert f"pid {os.getpid()}" in message
    assert "held by generate on" in message
    assert re.search(r"last sign of life \d+ s ago", message)
    assert "wait for it to end, or end it; a silent driver loses the run after 60 s" in message
    assert refused.value.exit_code == 4
    assert not lost(first)


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit, ValueError])
def test_an_interrupted_driver_releases_the_run(local, ending):
    with pytest.raises(ending), hold(local, 60):
        raise ending
    assert get(local, 1)["released"]


def test_beats_carry_the_progress_of_the_job(local):
    with hold(local, 0.3) as lease:
        lease.report({"phase": "samples", "done": 12})
        until(lambda: get(local, 1)["progress"] == {"phase": "samples", "done": 12})
        beat = get(local, 1)["beat"]
        until(lambda: get(local, 1)["beat"] > beat)


def test_a_live_driver_elsewhere_is_recognised_by_its_next_beat(local):
    put(local, 1, record(ttl_s=6))
    notices, ended = [], threading.Event()

    def live():
        for beat in range(1, 1000):
            if ended.wait(0.1):
                return
            put(local, 1, record(ttl_s=6, beat=beat))

    driver = threading.Thread(target=live)
    driver.start()
    try:
        with pytest.raises(RunHeld, match=r"far-away \(pid 4711\) since 2031-01-01 12:30:05 UTC"):
            hold(local, 0.2, notify=notices.append).__enter__()
    finally:
        ended.set()
        driver.join()
    assert all("up to 6 s" in text for text in notices), "the holder's own ttl counts"


def test_a_silent_driver_elsewhere_loses_the_run_after_its_ttl(storage):
    start = time.monotonic()
    put(storage, 7, record())
    with hold(storage, 60, **QUIET) as lease:
        assert 0.39 < time.monotonic() - start < 30, "its own 0.4 s, not our 60 s"
        assert lease.epoch == 8


def test_silence_before_the_first_look_counts_by_the_clock_of_the_store(local):
    put(local, 1, record(ttl_s=600))
    old = time.time() - 601
    os.utime(local.local() / "lease/000001.json", (old, old))
    with hold(local, 60, **QUIET) as lease:
        assert lease.epoch == 2


def test_without_the_clock_of_the_store_silence_is_measured_on_the_own_clock(local, monkeypatch):
    def refuse(self):
        raise PermissionError("read only")

    monkeypatch.setattr(Storage, "now", refuse)
    put(local, 1, record())
    assert newest_lease(local).age_s is None
    assert newest_lease(local).held
    start = time.monotonic()
    with hold(local, 60, **QUIET):
        assert time.monotonic() - start >= 0.4


def test_clocks_in_the_future_and_in_the_past_change_nothing(local):
    put(local, 1, record(started="1970-01-01T00:00:00+00:00"))
    later = time.time() + 3600
    os.utime(local.local() / "lease/000001.json", (later, later))
    start = time.monotonic()
    with hold(local, 60, **QUIET):
        assert time.monotonic() - start >= 0.4, "a file from the future is no older than new"


def test_a_driver_that_releases_the_run_is_replaced_at_once(local):
    put(local, 1, record(ttl_s=6))
    threading.Timer(0.1, put, (local, 1, record(ttl_s=6, beat=1, released=True))).start()
    with hold(local, 60, **QUIET) as lease:
        assert lease.epoch == 2


def test_an_unreadable_epoch_is_waited_for_and_then_replaced(local):
    start = time.monotonic()
    local.write("lease/000003.json", b"{")
    with hold(local, 0.3, **QUIET) as lease:
        assert lease.epoch == 4
        assert time.monotonic() - start >= 0.29


def mine(pid: int, **changes) -> LeaseRecord:
    """Return the record of the process with that pid on this machine."""
    return record(machine=machine(), pid=pid, born=born(pid), ttl_s=600, **changes)


@pytest.mark.skipif(not machine(), reason="this system does not tell processes apart")
def test_a_dead_driver_of_this_machine_is_replaced_at_once_even_as_a_zombie_process(local):
    with subprocess.Popen(["sleep", "60"]) as driver:
        try:
            put(local, 1, mine(driver.pid))
            assert newest_lease(local).held
        finally:
            driver.kill()
        until(lambda: process_state(driver.pid)[0] == "Z")
        assert not newest_lease(local).held
    with hold(local, 60) as lease:
        assert lease.epoch == 2


@pytest.mark.skipif(not machine(), reason="this system does not tell processes apart")
def test_another_process_with_the_pid_of_the_dead_driver_does_not_hold_the_run(local):
    put(local, 1, mine(os.getpid()).model_copy(update={"born": "12345"}))
    with hold(local, 60) as lease:
        assert lease.epoch == 2


@pytest.mark.skipif(not machine(), reason="this system does not tell processes apart")
def test_a_pid_of_another_container_is_not_looked_up_here(local):
    put(local, 1, mine(1).model_copy(update={"machine": machine() + "/other", "pid": 2**22}))
    assert newest_lease(local).held


@pytest.mark.skipif(not machine(), reason="this system does not tell processes apart")
def test_a_stopped_driver_of_this_machine_is_replaced_after_its_ttl(local):
    with subprocess.Popen(["sleep", "60"]) as driver:
        try:
            os.kill(driver.pid, signal.SIGSTOP)
            until(lambda: process_state(driver.pid)[0] == "T")
            put(local, 1, mine(driver.pid).model_copy(update={"ttl_s": 0.3}))
            with hold(local, 60, **QUIET) as lease:
                assert lease.epoch == 2
        finally:
            driver.kill()


@pytest.mark.parametrize("seed", range(3))
def test_of_many_drivers_started_together_exactly_one_wins(storage, seed):
    start, stop, outcomes = threading.Barrier(6), threading.Event(), []

    def drive():
        start.wait()
        try:
            with hold(storage, 60):
                outcomes.append("won")
                stop.wait(10)
        except RunHeld:
            outcomes.append("held")

    drivers = [threading.Thread(target=drive) for _ in range(6)]
    for driver in drivers:
        driver.start()
    until(lambda: len(outcomes) == 6)
    stop.set()
    for driver in drivers:
        driver.join()
    assert sorted(outcomes) == ["held"] * 5 + ["won"]
    assert storage.list("lease") == ["lease/000001.json"]


class LastWriterWins(Storage):
    """Store without create-if-absent, on which all first reads precede all puts, and these all second reads."""

    meet: threading.Barrier

    def create(self, path: str, data: bytes) -> bool:
        self.meet.wait(30)
        self.write(path, data)
        self.meet.wait(30)
        return True


class SlowBeats(Storage):
    """Store on which heartbeats wait until they may be written."""

    may_write: threading.Event
    waiting = False

    def write(self, path: str, data: bytes) -> None:
        if path.startswith("lease/"):
            self.waiting = True
            self.may_write.wait(10)
        super().write(path, data)


def test_without_create_if_absent_the_last_writer_holds_the_run_and_the_other_stops_itself(local):
    LastWriterWins.meet = threading.Barrier(2)
    store, outcomes, stop = LastWriterWins(local.url), [], threading.Event()

    def drive():
        try:
            with hold(store, 0.3) as lease:
                outcomes.append(lease)
                stop.wait(10)
        except RunHeld:
            outcomes.append(None)

    drivers = [threading.Thread(target=drive, daemon=True) for _ in range(2)]
    for driver in drivers:
        driver.start()
    until(lambda: len(outcomes) == 2, 30)
    until(lambda: sum(lease is not None and not lost(lease) for lease in outcomes) == 1)
    stop.set()
    for driver in drivers:
        driver.join()


def test_of_two_racing_drivers_one_stays_however_slow_the_store_is(local):
    """A driver that checked during its own heartbeat could give up, and its late heartbeat then ended the other."""
    slow, may_write = SlowBeats(local.url), threading.Event()
    slow.may_write = may_write
    with hold(slow, 0.6) as mine:
        until(lambda: slow.waiting)
        put(local, 1, record())  # The heartbeat has read its own name and is about to write it again.
        time.sleep(0.5)  # Heartbeats are late, so that `check` reads the store itself.
        threading.Timer(0.1, may_write.set).start()
        assert not lost(mine), "the last writer holds the run"
        assert get(local, 1)["owner"] != "theirs"


def test_a_late_first_put_of_another_driver_is_noticed_at_the_next_heartbeat(local):
    """A store without create-if-absent may take the other's put after this driver has read its own epoch back."""
    with hold(local, 0.3) as lease:
        theirs = record()
        until(lambda: put(local, 1, theirs) or lost(lease))
        time.sleep(0.25)
        assert get(local, 1)["owner"] == "theirs"
    assert get(local, 1)["owner"] == "theirs"


def test_a_replaced_driver_stops_and_writes_no_lease_file_again(local):
    with hold(local, 0.3) as replaced:
        put(local, 2, record(started="2031-01-01T12:30:05+00:00"))
        until(lambda: lost(replaced))
        with pytest.raises(
            RunHeld, match=r"taken over by far-away pid 4711 at 2031-01-01 12:30:05 UTC; .* nothing is lost"
        ):
            replaced.check()
        before = [local.read(path) for path in local.list("lease")]
        time.sleep(0.25)
    assert [local.read(path) for path in local.list("lease")] == before
    assert not get(local, 1)["released"]


def test_the_lease_is_checked_before_a_write_and_not_only_at_the_next_heartbeat(storage):
    """Between two beats a driver would have written for up to a third of the lease time to a run that it had lost."""
    with hold(storage, 60) as lease:
        require_held(lease)
        put(storage, 2, record())
        lease.check()
        require_held(lease, within_s=60)  # one of many small writes after a look
        with pytest.raises(RunHeld, match="taken over by far-away pid 4711"):
            require_held(lease)
        assert lost(lease)
        storage.delete("lease/000002.json")
        assert lost(lease), "a lost lease is not regained"
    require_held(None)  # a benchmark has no lease


def test_workers_check_in_the_store_that_their_driver_still_holds_the_run(local):
    with hold(local, 60) as lease:
        claim = pickle.loads(pickle.dumps(lease.claim))
        claim.check()
        put(local, 2, record())
        with pytest.raises(RunHeld, match="taken over by far-away pid 4711"):
            claim.check()
    with hold(local, 60, **QUIET) as mine:
        mine.claim.check()
        with pytest.raises(RunHeld):
            claim.check()


def test_a_failed_check_of_the_lease_raises_instead_of_permitting_a_write(local):
    store = Faulty(local.url)
    with hold(store, 60) as lease:
        store.down = True
        with pytest.raises(StorageUnavailable):
            require_held(lease)
        store.down = False
        require_held(lease)


def test_a_replaced_driver_does_not_write_its_collected_epoch_again(local):
    with hold(local, 0.3) as replaced:
        put(local, 2, record())
        local.delete("lease/000001.json")
        until(lambda: lost(replaced))
    assert local.list("lease") == ["lease/000002.json"]


class Faulty(Storage):
    """Store whose writes and listings fail while `down` is set."""

    down = False

    def write(self, path: str, data: bytes) -> None:
        self._answer()
        super().write(path, data)

    def list(self, prefix: str = "") -> list[str]:
        self._answer()
        return super().list(prefix)

    def _answer(self) -> None:
        if self.down:
            raise StorageUnavailable("the store does not answer")


def test_an_outage_of_the_store_does_not_end_the_job_and_beats_go_on_after_it(local):
    store = Faulty(local.url)
    with hold(store, 0.3) as lease:
        store.down = True
        beat = get(local, 1)["beat"]
        time.sleep(0.3)
        lease.check()
        assert get(local, 1)["beat"] <= beat + 1
        store.down = False
        until(lambda: get(local, 1)["beat"] > beat + 1)


def test_an_outage_at_the_end_of_the_job_is_no_failure_of_the_job(local):
    store = Faulty(local.url)
    with hold(store, 60):
        store.down = True
    assert not get(local, 1)["released"]


DRIVER = """
import os, signal, sys, time
from synfiqa.schemas.errors import RunHeld
from synfiqa.cluster.run.lease import hold
from synfiqa.cluster.storage.storage import Storage
try:
    with hold(Storage(sys.argv[1]), 1.0) as lease:
        with lease._lock:  # No heartbeat is half done; it would be finished on resuming, without harm.
            os.kill(os.getpid(), signal.SIGSTOP)
        while True:
            lease.check()
            time.sleep(0.005)
except RunHeld as error:
    print(error)
    sys.exit(error.exit_code)
"""


class Recorded(Storage):
    """Store that records what is written through this object."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.written: list[bytes] = []

    def create(self, path: str, data: bytes) -> bool:
        self.written.append(data)
        return super().create(path, data)

    def write(self, path: str, data: bytes) -> None:
        self.written.append(data)
        super().write(path, data)


def test_a_driver_that_is_stopped_and_resumes_after_a_take_over_ends_without_harm(local):
    """SIGSTOP stands for a laptop lid, a hypervisor or a debugger: the process does not notice the lost time."""
    mine = Recorded(local.url)
    with subprocess.Popen([sys.executable, "-c", DRIVER, local.url], stdout=subprocess.PIPE, text=True) as driver:
        try:
            until(lambda: process_state(driver.pid)[0] == "T", 60)
            until(lambda: newest_lease(local).age_s > 1)
            with hold(mine, 60, **QUIET):
                before = local.read("lease/000001.json")
                os.kill(driver.pid, signal.SIGCONT)
                assert driver.wait(10) == 4
                assert "taken over by" in driver.stdout.read()
                # Not the content at the take-over: this lease beats while the driver ends.
                assert local.read("lease/000002.json") in mine.written
                assert local.read("lease/000001.json") == before
        finally:
            driver.kill()
