"""Which GPU this process has, how busy and how full it is, as NVIDIA's management library says."""

import os
import sys
from collections.abc import Sequence

import pynvml


class NvmlGpu:
    """The first GPU that this process sees. `pynvml.NVMLError` without library or GPU, LookupError without a match."""

    def __init__(self) -> None:
        pynvml.nvmlInit()
        handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        # MIG slices are not among the GPUs that can be listed, but are known by their UUID.
        self.uuid = own_gpu(
            [pynvml.nvmlDeviceGetUUID(handle) for handle in handles],
            os.environ.get("CUDA_VISIBLE_DEVICES"),
            _computing(),
        )
        self._handle = pynvml.nvmlDeviceGetHandleByUUID(self.uuid)

    def utilisation(self) -> float | None:
        """Return the share 0..1 of the driver's last sample period (1/6 to 1 s) with a kernel running.

        None where there is no such figure, as on MIG slices.
        """
        try:
            return float(pynvml.nvmlDeviceGetUtilizationRates(self._handle).gpu) / 100
        except pynvml.NVMLError_NotSupported:
            return None

    def memory(self) -> int | None:
        """Return the bytes in use, by whomever; None where they are unknown."""
        try:
            return int(pynvml.nvmlDeviceGetMemoryInfo(self._handle).used)
        except pynvml.NVMLError_NotSupported:
            return None


def own_gpu(uuids: Sequence[str], visible: str | None, computing: str = "") -> str:
    """Return the UUID of CUDA's device 0, given all GPUs of the machine and CUDA_VISIBLE_DEVICES (None: unset).

    `computing` is the UUID that CUDA itself names, where it is known; it wins, because CUDA may count GPUs of
    different models in another order than the driver does. LookupError when no GPU is meant.
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
        # CUDA takes any beginning of a UUID that only one GPU has.
        found = [uuid for uuid in uuids if uuid.startswith(first)]
        if len(found) == 1:
            return found[0]
    raise LookupError(f"CUDA_VISIBLE_DEVICES={visible} names none of {len(uuids)} GPUs")


def _computing() -> str:
    # Asking a torch that is not at work yet would open a CUDA context.
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return ""
    return f"GPU-{torch.cuda.get_device_properties(0).uuid}"
