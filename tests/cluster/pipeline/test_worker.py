"""What a worker notes of each stage: when, where, for how long, and how busy its GPU was meanwhile."""

import os
import re
import socket
import threading
import time

import pyarrow as pa
import pytest
import ray

from synfiqa.cluster.pipeline import worker
from synfiqa.cluster.pipeline.attempts import Attempts
from synfiqa.cluster.pipeline.layout.set_aside import SetUpFailed
from synfiqa.cluster.pipeline.wire import WIRE, pack, unpack
from synfiqa.cluster.pipeline.worker import StageWorker
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.gpu_sampler import GpuUse
from tests.cluster.toy_stages import AddOne, BreakNode, Dawdle, FailOn, Lifecycle, toy_units


class Scripted:
    """A trace that says how many windows were opened, as utilisation."""

    def __init__(self):
        self.windows = 0

    def begin(self):
        self.windows += 1

    def end(self):
        return GpuUse("GPU-1", self.windows / 100, 2**30)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", os.environ.get("CUDA_VISIBLE_DEVICES", ""))

    def advance(stages, gpus):
        monkeypatch.setattr(ray, "get_gpu_ids", lambda: gpus)
        storage = Storage(str(tmp_path / "run"))
        Attempts(storage, "session").open()
        table = pa.Table.from_pylist([pack(toy_units(1)[0])], schema=WIRE)
        return unpack(StageWorker(stages, storage, "session", 3)(table).to_pylist()[0])

    return advance


def test_every_stage_is_noted_with_its_begin_and_worker(run, monkeypatch):
    monkeypatch.setattr(worker, "trace_gpu", lambda: pytest.fail("a CPU worker asks for no GPU"))
    before, threads = time.time(), threading.active_count()
    work = run([Dawdle(), AddOne()], [])
    assert work.busy.keys() == work.traces.keys() == {"dawdle", "add_one"}
    first, second = work.traces["dawdle"], work.traces["add_one"]
    assert before - 0.001 <= first.began <= second.began - work.busy["dawdle"] + 0.01 <= time.time()
    assert first.worker == second.worker
    assert f"/{os.getpid()}@" in first.worker
    assert (first.gpu, first.utilisation, first.memory) == ("", None, None)
    assert threading.active_count() == threads


def test_a_worker_with_a_gpu_notes_it_stage_by_stage_and_the_try_that_succeeded(run, monkeypatch, tmp_path):
    (tmp_path / "notes").mkdir()
    monkeypatch.setattr(worker, "trace_gpu", Scripted)
    work = run([FailOn(0, 1, tmp_path / "notes"), AddOne()], ["0"])
    traces = work.traces
    assert (traces["fail_on"].gpu, traces["fail_on"].memory) == ("GPU-1", 2**30)
    assert (traces["fail_on"].utilisation, traces["add_one"].utilisation) == (0.02, 0.03)


def test_a_gpu_that_nobody_can_trace_costs_nothing_else(run, monkeypatch):
    monkeypatch.setattr(worker, "trace_gpu", lambda: None)
    assert run([AddOne()], ["0"]).traces["add_one"].gpu == ""


def test_all_stages_prepare_the_node_before_one_is_set_up_and_are_closed_last_first(run, tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    first, second = Lifecycle(notes, "first"), Lifecycle(notes, "second")
    run([first, second], [])
    order = [path.name.split("-", 1)[1].partition("@")[0] for path in sorted(notes.iterdir())]
    assert order == [
        *("first-node", "second-node", "first-setup", "second-setup"),
        *("first-process", "second-process", "second-close", "first-close"),
    ]


def test_a_node_that_cannot_be_prepared_names_stage_and_host_and_nothing_is_closed(run, tmp_path):
    with pytest.raises(SetUpFailed, match=rf"prepare this node for break_node on {re.escape(socket.gethostname())}"):
        run([AddOne(), BreakNode()], [])


def test_an_error_of_a_close_is_printed_and_the_others_are_closed(run, tmp_path, monkeypatch, capfd):
    def fail(stage):
        raise OSError("the socket is gone")

    notes = tmp_path / "notes"
    notes.mkdir()
    closing = Lifecycle(notes)
    monkeypatch.setattr(AddOne, "close", fail)
    assert run([closing, AddOne()], []).number == 0
    assert closing.calls("close") == [str(os.getpid())]
    assert f"add_one on {socket.gethostname()} did not close (OSError: the socket is gone" in capfd.readouterr().err
