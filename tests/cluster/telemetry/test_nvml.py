"""Selection of this process's GPU and its readings, with a stub for the driver."""

from types import SimpleNamespace

import pynvml
import pytest

from synfiqa.cluster.telemetry import nvml
from synfiqa.cluster.telemetry.nvml import NvmlGpu, own_gpu

GPUS = ["GPU-aa11", "GPU-aa22", "GPU-bb33"]


@pytest.fixture
def driver(monkeypatch):
    """Stub pynvml with three GPUs, 85 % busy; handles are the UUIDs."""
    answers = {
        "Init": lambda: None,
        "DeviceGetCount": lambda: len(GPUS),
        "DeviceGetHandleByIndex": lambda index: GPUS[index],
        "DeviceGetUUID": lambda handle: handle,
        "DeviceGetHandleByUUID": lambda uuid: uuid,
        "DeviceGetUtilizationRates": lambda handle: SimpleNamespace(gpu=85, memory=40),
        "DeviceGetMemoryInfo": lambda handle: SimpleNamespace(total=100, free=30, used=70 + GPUS.index(handle)),
    }
    for name, answer in answers.items():
        monkeypatch.setattr(pynvml, f"nvml{name}", answer)
    monkeypatch.setattr(nvml, "_computing", lambda: "")


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, "GPU-aa11"),
        ("1", "GPU-aa22"),
        ("2,0", "GPU-bb33"),
        (" 1 ,2", "GPU-aa22"),
        ("GPU-bb33", "GPU-bb33"),
        ("GPU-b", "GPU-bb33"),
        ("MIG-77aa", "MIG-77aa"),
    ],
)
def test_the_first_visible_gpu_is_chosen(visible, expected):
    assert own_gpu(GPUS, visible) == expected


@pytest.mark.parametrize("visible", ["", "3", "-1", "GPU-aa", "GPU-cc", "NoDevFiles"])
def test_a_name_of_no_gpu_or_of_several_is_refused(visible):
    with pytest.raises(LookupError, match="matches none of 3 GPUs"):
        own_gpu(GPUS, visible)


def test_the_uuid_from_cuda_takes_precedence_over_an_index():
    assert own_gpu(GPUS, "0", computing="GPU-bb33") == "GPU-bb33"
    assert own_gpu(GPUS, "0", computing="GPU-unlisted") == "GPU-aa11"


def test_readings_are_of_the_own_gpu_in_shares_and_bytes(driver, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    gpu = NvmlGpu()
    assert (gpu.uuid, gpu.utilisation(), gpu.memory()) == ("GPU-aa22", 0.85, 71)


def test_an_unsupported_figure_is_none_and_a_failure_raises(driver, monkeypatch):
    def refuse(code):
        def answer(handle):
            raise pynvml.NVMLError(code)

        return answer

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-77aa")
    monkeypatch.setattr(pynvml, "nvmlDeviceGetUtilizationRates", refuse(pynvml.NVML_ERROR_NOT_SUPPORTED))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", refuse(pynvml.NVML_ERROR_GPU_IS_LOST))
    gpu = NvmlGpu()
    assert (gpu.uuid, gpu.utilisation()) == ("MIG-77aa", None)
    with pytest.raises(pynvml.NVMLError, match="lost"):
        gpu.memory()
