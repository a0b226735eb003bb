"""How busy and how full this process's GPU is while a stage works, sampled by a thread of the worker.

Only processes that were given a GPU have the thread; a trace that cannot be had is said once in the log.
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
    """One GPU as its driver sees it, with all that runs on it; a method may raise when the driver fails."""

    uuid: str

    def utilisation(self) -> float | None:
        """Return the share 0..1 of the last moments with a kernel running; None when that is unknown."""

    def memory(self) -> int | None:
        """Return the bytes in use; None when that is unknown."""


@dataclass(frozen=True)
class GpuUse:
    """A GPU over a window: mean utilisation 0..1 and the most bytes in use; None is unknown."""

    gpu: str
    utilisation: float | None
    memory: int | None


class Window:
    """Adds up readings over time. Each stands for the time since the one before it: the driver's figure looks back."""

    def __init__(self, now: float) -> None:
        self._last = now
        self._busy = self._known = 0.0
        self._memory: int | None = None

    def add(self, now: float, utilisation: float | None, memory: int | None) -> None:
        """Take a reading made at `now`, in seconds of any one clock."""
        if utilisation is not None:
            self._busy += utilisation * (now - self._last)
            self._known += now - self._last
        self._last = now
        if memory is not None:
            self._memory = max(memory, self._memory or 0)

    def use(self, gpu: str) -> GpuUse:
        """Return what the readings come to."""
        return GpuUse(gpu, self._busy / self._known if self._known else None, self._memory)


class GpuTrace:
    """Samples one GPU in a daemon thread. A worker has one window open at a time."""

    def __init__(self, gpu: Gpu, period_s: float = PERIOD_S) -> None:
        self._gpu = gpu
        self._period_s = period_s
        self._lock = threading.Lock()
        self._window: Window | None = None
        self._closed = threading.Event()
        threading.Thread(target=self._sample, name="gpu-trace", daemon=True).start()

    def begin(self) -> None:
        """Open a window; one that is still open, because its stage failed, is forgotten."""
        with self._lock:
            self._window = Window(time.monotonic())

    def end(self) -> GpuUse:
        """Close the window with a last reading and return what it saw; ValueError when none is open."""
        with self._lock:
            self._read()
            window, self._window = self._window, None
        if window is None:
            raise ValueError("no window is open: call begin first")
        return window.use(self._gpu.uuid)

    def close(self) -> None:
        """Let the thread end."""
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
            _tell(error)
            self._closed.set()
        else:
            self._window.add(time.monotonic(), utilisation, memory)


def trace_gpu() -> GpuTrace | None:
    """Start sampling the GPU of this process; None, and a line in the log, when its driver says nothing about it."""
    # The package is imported where there is a GPU to ask about.
    import pynvml

    from synfiqa.cluster.telemetry.nvml import NvmlGpu

    try:
        return GpuTrace(NvmlGpu())
    except (pynvml.NVMLError, LookupError) as error:
        _tell(error)
        return None


def _tell(error: Exception) -> None:
    _log.warning("the GPU is not traced, the work goes on (%s: %s)", type(error).__name__, error)
