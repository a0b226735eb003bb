"""The sampler: time-weighted means; a failing driver ends the trace and nothing else."""

import logging
import time

import pynvml
import pytest

from synfiqa.cluster.telemetry.gpu_sampler import GpuTrace, Window, trace_gpu


class Script:
    """GPU with scripted readings, of which the last is repeated; an exception among them is raised."""

    uuid = "GPU-script"

    def __init__(self, *readings):
        self.readings = list(readings)
        self.asked = 0

    def utilisation(self):
        reading = self.readings[min(self.asked, len(self.readings) - 1)]
        self.asked += 1
        if isinstance(reading, Exception):
            raise reading
        return reading

    def memory(self):
        return 1000 - self.asked


@pytest.fixture
def traced():
    traces = []

    def make(*readings):
        gpu = Script(*readings)
        traces.append(GpuTrace(gpu, period_s=0.01))
        return gpu, traces[-1]

    yield make
    for trace in traces:
        trace.close()


def test_a_reading_stands_for_the_time_since_the_one_before():
    window = Window(10.0)
    window.add(11.0, 1.0, 5)
    window.add(14.0, 0.2, 9)
    window.add(15.0, None, 7)
    use = window.use("GPU-1")
    assert (use.gpu, use.memory) == ("GPU-1", 9)
    assert use.utilisation == pytest.approx((1 * 1.0 + 3 * 0.2) / 4), "the unknown second counts neither way"


def test_a_window_without_a_reading_has_unknown_use():
    use = Window(0.0).use("GPU-1")
    assert (use.utilisation, use.memory) == (None, None)


def test_the_thread_reads_while_a_window_is_open_and_only_then(traced):
    gpu, trace = traced(0.75)
    time.sleep(0.05)
    assert gpu.asked == 0
    trace.begin()
    time.sleep(0.1)
    use = trace.end()
    assert (use.gpu, use.utilisation, use.memory) == ("GPU-script", pytest.approx(0.75), 999)
    assert (asked := gpu.asked) > 2
    time.sleep(0.05)
    assert gpu.asked == asked


def test_a_stage_shorter_than_the_period_is_read_at_its_end():
    gpu = Script(0.5)
    trace = GpuTrace(gpu, period_s=60)
    trace.begin()
    assert trace.end().utilisation == pytest.approx(0.5)
    assert gpu.asked == 1
    trace.close()


def test_a_new_window_discards_that_of_a_failed_stage():
    trace = GpuTrace(Script(0.25), period_s=60)
    trace.begin()
    trace.begin()
    assert trace.end().utilisation == pytest.approx(0.25)
    with pytest.raises(ValueError, match="call begin first"):
        trace.end()
    trace.close()


def test_a_failing_driver_is_logged_once_and_not_read_again(traced, caplog):
    gpu, trace = traced(1.0, 1.0, OSError("the GPU is lost"), 1.0)
    with caplog.at_level(logging.WARNING):
        trace.begin()
        time.sleep(0.1)
        assert trace.end().utilisation == pytest.approx(1.0), "what was read before stays"
        trace.begin()
        assert trace.end().utilisation is None
    assert [record.message for record in caplog.records] == [
        "the GPU is not traced, the work goes on (OSError: the GPU is lost)"
    ]
    assert gpu.asked == 3


def test_without_the_drivers_library_there_is_no_trace_and_one_line_in_the_log(monkeypatch, caplog):
    def missing():
        raise pynvml.NVMLError_LibraryNotFound

    monkeypatch.setattr(pynvml, "nvmlInit", missing)
    with caplog.at_level(logging.WARNING):
        assert trace_gpu() is None
    assert [record.message for record in caplog.records] == [
        "the GPU is not traced, the work goes on (NVMLError_LibraryNotFound: NVML Shared Library Not Found)"
    ]


@pytest.mark.gpu
def test_a_real_gpu_is_traced_while_it_multiplies():
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    matrix = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    trace = trace_gpu()
    assert trace is not None
    trace.begin()
    end = time.monotonic() + 4
    while time.monotonic() < end:
        for _ in range(20):
            matrix @ matrix
        torch.cuda.synchronize()
    busy = trace.end()
    trace.begin()
    time.sleep(4)
    idle = trace.end()
    trace.close()
    assert busy.gpu.endswith(str(torch.cuda.get_device_properties(0).uuid))
    assert busy.utilisation > 0.6
    assert idle.utilisation < 0.4
    assert busy.memory >= matrix.nbytes
