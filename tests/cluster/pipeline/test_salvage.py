"""An error costs the row it belongs to; memory errors cost nothing; marked deaths find the row that kills."""

import json
import subprocess
import sys
import uuid
import weakref
from contextlib import contextmanager

import pyarrow as pa
import pytest

from synfiqa.cluster.pipeline.attempts import Attempts
from synfiqa.cluster.pipeline.micro_batch import call_size
from synfiqa.cluster.pipeline.salvage import DEVICE_LOST, Salvage, is_device_lost, is_out_of_memory
from synfiqa.cluster.pipeline.stage import Stage, Work
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.errors import JobFailed

TABLE = pa.table({"a": [1]})


class Toy(Stage):
    name = "toy"

    def process(self, work):
        return work


class Model:
    """Doubles numbers; raises on some, for a number of calls or always; notes the size of each call."""

    def __init__(self, poison=(), passes_after=10**9, limit=10**9):
        self.poison, self.passes_after, self.limit = set(poison), passes_after, limit
        self.sizes, self.failures = [], 0

    def __call__(self, batch):
        self.sizes.append(len(batch))
        if len(batch) > self.limit:
            raise MemoryError("out of memory")
        if self.poison & set(batch) and self.failures < self.passes_after:
            self.failures += 1
            raise ValueError(f"poison among {batch}")
        return [2 * item for item in batch]


def run(model, items=range(8), size=4, stage=None):
    salvage = Salvage(stage or Toy())
    results = salvage.map(list(items), model, size, name=str, spec=lambda item: {"item": item})
    return results, salvage


def test_without_errors_each_batch_is_called_once_in_order():
    model = Model()
    results, salvage = run(model, range(10))
    assert results == [2 * i for i in range(10)]
    assert model.sizes == [4, 4, 2]
    assert salvage.dead == []


@pytest.mark.parametrize("poison", [{0}, {3}, {5}, {0, 7}, {1, 2}, set(range(8))])
def test_exactly_the_poison_rows_are_dead_with_spec_error_and_place(poison):
    results, salvage = run(Model(poison))
    assert results == [None if i in poison else 2 * i for i in range(8)]
    assert {int(row.item) for row in salvage.dead} == poison
    row = salvage.dead[0]
    assert (row.stage, row.attempts, json.loads(row.spec)) == ("toy", 2, {"item": int(row.item)})
    assert row.error.startswith("ValueError: poison")
    assert "Traceback" in row.traceback


def test_an_error_that_passes_is_retried_on_the_whole_batch_so_its_composition_stays():
    """Halving at once would make the same images in other micro-batches, which on a GPU changes their last bits."""
    model = Model({2}, passes_after=1)
    results, salvage = run(model)
    assert results == [2 * i for i in range(8)]
    assert model.sizes == [4, 4, 4]
    assert salvage.dead == []


def test_running_out_of_memory_halves_the_rest_of_the_unit_and_loses_nothing():
    model = Model(limit=3)
    results, salvage = run(model, range(12))
    assert results == [2 * i for i in range(12)]
    assert model.sizes == [4, 2, 2, 2, 2, 2, 2]
    assert salvage.finish(Work("samples", 0, TABLE), TABLE).notes == {"micro_batch_toy": "2"}


def test_what_a_failed_call_held_is_given_back_before_the_smaller_try():
    """The handler's traceback used to keep the tensors of every failed call alive, so that the device stayed full."""

    class Tensor:
        pass

    held = []

    def call(batch):
        assert [reference() for reference in held] == [None] * len(held)
        tensor = Tensor()
        held.append(weakref.ref(tensor))
        if len(batch) > 1:
            raise MemoryError("out of memory")
        return batch

    results, _ = run(call, range(8), size=8)
    assert results == list(range(8))
    assert len(held) == 3 + 8


def test_padding_shrinks_with_the_batch_so_that_running_out_of_memory_helps():
    """Players padded the halved batches up to models.micro_batch again: every row of a small GPU was dead."""
    padded = []

    def call(batch):
        padded.append(call_size(16))
        if padded[-1] > 3:
            raise MemoryError("out of memory")
        return batch

    results, salvage = run(call, range(8))
    assert results == list(range(8))
    assert padded == [16, 2, 2, 2, 2]
    assert salvage.smallest == 2
    assert call_size(16) == 16, "of this unit only"


def test_a_single_row_that_was_padded_is_tried_without():
    def call(batch):
        if call_size(8) > 1:
            raise MemoryError("out of memory")
        return batch

    results, salvage = run(call, range(1))
    assert results == [0]
    assert salvage.smallest == 1


class AcceleratorError(RuntimeError):
    """Named as PyTorch's."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        AcceleratorError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_memory_runs_out_under_several_names(error):
    assert is_out_of_memory(error)
    assert not is_device_lost(error)


@pytest.mark.parametrize("error", [RuntimeError("shapes"), ValueError("out of memory"), OSError("full")])
def test_other_errors_are_neither(error):
    assert not is_out_of_memory(error)
    assert not is_device_lost(error)


def test_a_lost_device_ends_its_process_and_leaves_the_mark(tmp_path):
    """Every later call of the process fails too: its rows would die one by one, up to the limit of the run."""
    program = """
from synfiqa.cluster.pipeline.salvage import Salvage
from tests.cluster.pipeline.test_salvage import AcceleratorError, Toy

class Marks:
    def deaths(self, key):
        return 0
    def attempt(self, key):
        return self
    def __enter__(self):
        print("marked", flush=True)
    def __exit__(self, *_):
        print("cleared", flush=True)

def call(batch):
    raise AcceleratorError("CUDA error: an illegal memory access was encountered")

stage = Toy()
stage.marks = Marks()
Salvage(stage).map([1, 2], call, 2, name=str)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (DEVICE_LOST, "marked\n")
    assert "this worker ends because its device is lost" in ended.stderr
    assert "illegal memory access" in ended.stderr


def test_a_row_too_large_for_memory_alone_is_dead_not_endless():
    results, salvage = run(Model(limit=0), range(2), size=2)
    assert results == [None, None]
    assert "MemoryError" in salvage.dead[0].error


def test_an_error_that_will_not_pass_leaves_at_once():
    def refuse(batch):
        raise JobFailed("the ledger is damaged")

    with pytest.raises(JobFailed):
        run(refuse)


def test_a_call_that_loses_rows_is_a_bug_not_a_dataset():
    with pytest.raises(ValueError, match="returned 3"):
        run(lambda batch: batch[:3])


class Died(BaseException):
    """Stands for the end of the process: nothing of the code under test runs after it."""


def test_a_row_that_kills_its_process_is_found_by_its_marks(tmp_path):
    """Each death leaves the mark of the call it happened in; two deaths halve the call, two on one row bury it."""
    storage = Storage(str(tmp_path))
    attempts = Attempts(storage, "s")

    class Unmarking:
        """Marks that a dying process does not remove."""

        def deaths(self, name):
            return attempts.calls("unit").deaths(name)

        def attempt(self, name):
            path = f"attempts/s/unit/calls/{name}/{uuid.uuid4().hex}"

            @contextmanager
            def mark():
                storage.write(path, b"")
                yield
                storage.delete(path)

            return mark()

    def kill_on_five(batch):
        if 5 in batch:
            raise Died
        return batch

    stage = Toy()
    stage.marks = Unmarking()
    deaths = 0
    while True:
        try:
            results, salvage = run(kill_on_five, stage=stage)
            break
        except Died:
            deaths += 1
    assert results == [0, 1, 2, 3, 4, None, 6, 7]
    assert deaths == 6  # two on 4-7, two on 4-5, two on 5
    assert "process died" in salvage.dead[0].error
