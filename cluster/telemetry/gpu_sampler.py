"""Samples utilisation and memory of this process's GPU in a thread while a stage works.

Only processes with a GPU have the thread. If the GPU cannot be read, one warning is logged and the work goes on.
"""

import logging
import threading
import time
from dataclasses import dataclass
from typing import Protocol

PERIOD_S = 0.25
"""Seconds between two readings."""

_log = logging.getLogger(__name__)


class Gpu(Protocol):
    """GPU as reported by its driver, all processes on it included; methods may raise when the driver fails."""

    uuid: str

    def utilisation(self) -> float | None:
        """Return the share 0..1 of the driver's last sample period with a kernel running; None when unknown."""

    def memory(self) -> int | None:
        """Return the bytes in use; None when unknown."""


@dataclass(frozen=True)
class GpuUse:
    """Mean utilisation 0..1 and peak of bytes in use of a GPU over a window; None is unknown."""

    gpu: str
    utilisation: float | None
    memory: int | None


class Window:
    """Time-weighted sum of readings, each of which counts for the time since the previous one."""

    # The driver's figure describes the time before the reading.

    def __init__(self, now: float) -> None:
        self._last = now
        self._busy = self._known = 0.0
        self._memory: int | None = None

    def add(self, now: float, utilisation: float | None, memory: int | None) -> None:
        """Add a reading made at `now`, in seconds of any one clock."""
        if utilisation is not None:
            self._busy += utilisation * (now - self._last)
            self._known += now - self._last
        self._last = now
        if memory is not None:
            self._memory = max(memory, self._memory or 0)

    def use(self, gpu: str) -> GpuUse:
        """Return mean utilisation and peak memory of the readings."""
        return GpuUse(gpu, self._busy / self._known if self._known else None, self._memory)


class GpuTrace:
    """Sampler of one GPU in a daemon thread, with at most one open window."""

    def __init__(self, gpu: Gpu, period_s: float = PERIOD_S) -> None:
        self._gpu = gpu
        self._period_s = period_s
        self._lock = threading.Lock()
        self._window: Window | None = None
        self._closed = threading.Event()
        threading.Thread(target=self._sample, name="gpu-trace", daemon=True).start()

    def begin(self) -> None:
        """Open a window; discards one left open by a failed stage."""
        with self._lock:
            self._window = Window(time.monotonic())

    def end(self) -> GpuUse:
        """Close the window with a last reading and return its use; ValueError when none is open."""
        with self._lock:
            self._read()
            window, self._window = self._window, None
        if window is None:
            raise ValueError("no window is open: call begin first")
        return window.use(self._gpu.uuid)

    def close(self) -> None:
        """End the thread."""
        self._closed.set()

    def _sample(self) -> None:
        while not self._closed.wait(self._period_s):
            with self._lock:
                self._read()

    def _read(self) -> None:
        if self._window is None or self._closed.is_set():
            return
        try:
            utilisation, memory = self._gpu.utilisation(), self._gpu.memory()
        except Exception as error:
            _warn(error)
            self._closed.set()
        else:
            self._window.add(time.monotonic(), utilisation, memory)


def trace_gpu() -> GpuTrace | None:
    """Start sampling the GPU of this process; returns None and logs a warning when it cannot be read."""
    # Imported only in processes with a GPU.
    import pynvml

    from synfiqa.cluster.telemetry.nvml import NvmlGpu

    try:
        return GpuTrace(NvmlGpu())
    except (pynvml.NVMLError, LookupError) as error:
        _warn(error)
        return None


def _warn(error: Exception) -> None:
    _log.warning("the GPU is not traced, the work goes on (%s: %s)", type(error).__name__, error)
