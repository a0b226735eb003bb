"""Memory of a stage: stub stages take known amounts, in setup for good and in a unit for a moment."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from synfiqa.actors.stages.memory_footprint import measure
from synfiqa.cluster.pipeline.stage import Stage, Work
from synfiqa.schemas.errors import JobFailed, UserError

UNIT = Work("samples", 3, pa.table({"row": [1, 2]}))
MB = 2**20
HAS_GPU = Path("/dev/nvidia0").exists()  # not by PyTorch, which every measured process would import with this


class Taking(Stage):
    name = "taking"

    def __init__(self, loaded, passing):
        self.loaded, self.passing = loaded, passing

    def setup(self):
        self.weights = np.ones(self.loaded * MB, np.uint8)

    def process(self, work):
        moment = np.ones(self.passing * MB, np.uint8)
        return replace(work, notes={"sum": str(int(moment[-1] + self.weights[-1])), "pid": str(os.getpid())})


class Refusing(Stage):
    name = "refusing"

    def setup(self):
        raise UserError("the card has no licence: name one")

    def process(self, work):
        raise AssertionError("never set up")


class Failing(Stage):
    name = "failing"

    def process(self, work):
        raise ZeroDivisionError("no rows")


class Dying(Stage):
    """Ends its process as soon as it gets there, which saves the test the import of PyTorch."""

    name = "dying"

    def __reduce__(self):
        return os._exit, (9,)

    def process(self, work):
        raise AssertionError("never arrives")


class OnGpu(Stage):
    name = "on_gpu"

    def setup(self):
        import torch

        self.weights = torch.ones(64 * MB, dtype=torch.uint8, device="cuda")

    def process(self, work):
        import torch

        torch.ones(192 * MB, dtype=torch.uint8, device="cuda")
        return work


def test_what_setup_keeps_and_what_a_unit_takes_for_a_moment():
    held = np.ones(300 * MB, np.uint8)  # of the caller: counts for nobody
    footprint, done = measure(Taking(loaded=100, passing=150), UNIT, "cpu")
    assert (footprint.device, footprint.capacity_mb) == ("cpu", 0)
    assert footprint.weights_mb == pytest.approx(100, abs=15)
    assert footprint.peak_mb == pytest.approx(250, abs=25)
    assert footprint.total_mb == footprint.peak_mb + footprint.context_mb
    assert 20 < footprint.context_mb < 2000
    assert done.number == UNIT.number
    assert done.notes["sum"] == "2"
    assert done.notes["pid"] != str(os.getpid())
    assert held[-1] == 1


@pytest.mark.parametrize(
    ("stage", "kind", "message"),
    [
        (Refusing(), UserError, "the card has no licence: name one"),
        (Failing(), JobFailed, "failing fails .*ZeroDivisionError: no rows"),
    ],
    ids=["refused", "failed"],
)
def test_failures_are_one_sentence(stage, kind, message, monkeypatch):
    # A thread in place of the process: what is told does not hang on it.
    monkeypatch.setattr("synfiqa.actors.stages.memory_footprint._process", lambda: ThreadPoolExecutor(1))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(kind, match=message):
        measure(stage, UNIT, "cpu")


def test_a_process_that_dies_is_told():
    with pytest.raises(JobFailed, match="the process that ran dying died, most likely out of memory"):
        measure(Dying(), UNIT, "cpu")


@pytest.mark.skipif(HAS_GPU, reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(UserError, match="no GPU: calibrate on one that has"):
        measure(Failing(), UNIT, "cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not HAS_GPU, reason="there is no GPU")
def test_gpu_memory_and_context():
    footprint, _ = measure(OnGpu(), UNIT)
    assert footprint.device == "cuda"
    assert footprint.weights_mb == pytest.approx(64, abs=2)
    assert footprint.peak_mb == pytest.approx(256, abs=32)
    assert 50 < footprint.context_mb < 3000
    assert footprint.capacity_mb > footprint.total_mb
