"""Reads utilisation and memory of this process's GPU from NVIDIA's management library (NVML)."""

import os
import sys
from collections.abc import Sequence

import pynvml


class NvmlGpu:
    """First GPU visible to this process; `pynvml.NVMLError` without library or GPU, LookupError without a match."""

    def __init__(self) -> None:
        pynvml.nvmlInit()
        handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        # MIG slices are not listed, but can be opened by UUID.
        self.uuid = own_gpu(
            [pynvml.nvmlDeviceGetUUID(handle) for handle in handles],
            os.environ.get("CUDA_VISIBLE_DEVICES"),
            _computing(),
        )
        self._handle = pynvml.nvmlDeviceGetHandleByUUID(self.uuid)

    def utilisation(self) -> float | None:
        """Return the share 0..1 of the driver's last sample period (1/6 to 1 s) with a kernel running.

        None where the driver has no such figure, as on MIG slices.
        """
        try:
            return float(pynvml.nvmlDeviceGetUtilizationRates(self._handle).gpu) / 100
        except pynvml.NVMLError_NotSupported:
            return None

    def memory(self) -> int | None:
        """Return the bytes in use by all processes; None where unknown."""
        try:
            return int(pynvml.nvmlDeviceGetMemoryInfo(self._handle).used)
        except pynvml.NVMLError_NotSupported:
            return None


def own_gpu(uuids: Sequence[str], visible: str | None, computing: str = "") -> str:
    """Return the UUID of CUDA's device 0, given all GPUs of the machine and CUDA_VISIBLE_DEVICES (None: unset).

    `computing` is the UUID reported by CUDA itself, empty when unknown; it takes precedence, because CUDA may number
    GPUs of different models in another order than the driver. LookupError when no GPU matches.
    """
    if computing in uuids:
        return computing
    first = "0" if visible is None else visible.split(",")[0].strip()
    if first.startswith("MIG-"):
        return first
    if first.isdecimal():
        if int(first) < len(uuids):
            return uuids[int(first)]
    elif first:
        # CUDA accepts any unique prefix of a UUID.
        found = [uuid for uuid in uuids if uuid.startswith(first)]
        if len(found) == 1:
            return found[0]
    raise LookupError(f"CUDA_VISIBLE_DEVICES={visible} matches none of {len(uuids)} GPUs")


def _computing() -> str:
    # A query before torch has initialised CUDA would open a CUDA context.
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return ""
    return f"GPU-{torch.cuda.get_device_properties(0).uuid}"
