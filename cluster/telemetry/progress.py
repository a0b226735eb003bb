"""Progress of a phase: a live line on a terminal, regular `key=value` lines in logs."""

import json
import re
import sys
import threading
import time
import weakref
from collections import Counter
from collections.abc import Mapping
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from synfiqa.cluster.telemetry.log_lines import emit, is_json, json_line, write_line

LOG_INTERVAL_S = 30.0
"""Seconds between two progress lines in a log."""

_LIVE: list[Progress] = []
_TICKING: "weakref.WeakSet[Phase]" = weakref.WeakSet()
_PLAIN = re.compile(r'[^\s="\\]+')
_NO_KEY = re.compile(r'[\s="\\]')


def stop_live_lines() -> None:
    """Stop the output of all open phases, as when a job ends in the middle of one."""
    # A live line hides the cursor until it is stopped.
    while _LIVE:
        _LIVE.pop().stop()
    for phase in list(_TICKING):
        phase.stop()


def announce(text: str, level: str = "info") -> None:
    """Write a sentence to stderr, above the live line if there is one; `level` counts where lines are JSON."""
    if _LIVE:
        _LIVE[-1].console.print(f"synfiqa: {text}", markup=False, highlight=False, soft_wrap=True)
        return
    emit(text, level)


class Phase:
    """Counts of one phase; `done` never exceeds `planned`, rate and ETA exclude the work of an earlier submit.

    On a terminal the line at the bottom is updated; elsewhere a line of `key=value` pairs is written every
    `log_interval` seconds, with or without progress, so that a log distinguishes a slow job from a dead one.
    """

    def __init__(
        self, name: str, planned: int, unit: str, stream: TextIO | None = None, log_interval: float = LOG_INTERVAL_S
    ) -> None:
        self.name = name
        self.planned = planned
        self.unit = unit
        self.done = 0
        self.counts: Counter[str] = Counter()
        self._found = 0
        self._spent = 0.0
        self._left: float | None = None
        self._foreseen: tuple[float, float] | None = None
        self._remark = ""
        self._stream = stream or sys.stderr
        self._started = time.monotonic()
        self._ended = threading.Event()
        self._live = _live_line(self, self._stream) if self._stream.isatty() and not is_json() else None
        if self._live is None:
            _TICKING.add(self)
            # The thread holds a weak reference, so that a phase that is never closed can be collected.
            clock = threading.Thread(target=_tick, args=(weakref.ref(self), self._ended, log_interval), daemon=True)
            clock.start()

    def resume(self, done: int, counts: Mapping[str, int] | None = None) -> None:
        """Add work of an earlier submit; may be called repeatedly."""
        before = self.done
        self.advance(done, counts)
        self._found += self.done - before

    def advance(self, amount: int = 1, counts: Mapping[str, int] | None = None) -> None:
        """Add finished work and its outcomes, such as `{"rejected:glasses": 3, "dead": 1}`."""
        self.done = min(self.done + amount, self.planned)
        # A new object each time, since the log thread may be reading the old one.
        self.counts = self.counts + Counter(counts or {})

    def expect(self, left: float, spent: float) -> None:
        """Base the ETA on work that is not what is counted, such as candidates: `spent` since the last call, and left.

        The ETA then holds when each further result takes more work than those before.
        """
        self._spent += spent
        self._left = left

    def foresee(self, eta_s: float, remark: str) -> None:
        """Take an ETA in seconds that the job has measured itself, and a remark on its pace."""
        self._foreseen, self._remark = (time.monotonic(), eta_s), remark

    def close(self, note: str = "") -> None:
        """End the phase and write a last line with the final counts."""
        self.stop()
        if self._live is not None:
            stop_live_lines()
            self._write(self.line(note))
        else:
            self._log(note)

    def stop(self) -> None:
        """Stop the regular lines without writing a last one."""
        self._ended.set()
        _TICKING.discard(self)

    def snapshot(self) -> dict[str, Any]:
        """Return the phase as JSON values, for the lease and so for `synfiqa status`."""
        rate = self._rate()
        return {
            "phase": self.name,
            "unit": self.unit,
            "done": self.done,
            "planned": self.planned,
            "counts": dict(self.counts),
            "rate": rate or None,
            "eta_s": self._eta(),
        }

    def line(self, note: str = "") -> str:
        """Return the phase as one line of text: done/planned, outcomes, rate, ETA or time taken."""
        rate = self._rate()
        parts = [f"{self.name:<10} {self.done}/{self.planned} {self.unit}"]
        parts += [f"{count} {name}" for name, count in self.counts.items()]
        if rate:
            parts.append(f"{rate:.3g}/s")
        if self._remark and self.done < self.planned:
            parts.append(self._remark)
        name, value = self._remaining()
        parts.append(f"{'ETA' if name == 'eta' else name} {value}")
        return " | ".join([*parts, note] if note else parts)

    def log_line(self, note: str = "") -> str:
        """Return the phase as `key=value` pairs: `phase=samples done=1200 planned=2496 dead=3 rate=12/s eta=1:45`."""
        rate = self._rate()
        pairs: dict[str, Any] = {"phase": self.name, "done": self.done, "planned": self.planned, **self.counts}
        if rate:
            pairs["rate"] = f"{rate:.3g}/s"
        if self._remark and self.done < self.planned:
            pairs["now"] = self._remark
        name, value = self._remaining()
        pairs[name] = value
        if note:
            pairs["note"] = note
        return " ".join(f"{_NO_KEY.sub('_', key)}={_value(value)}" for key, value in pairs.items())

    def _rate(self) -> float:
        return (self.done - self._found) / self._elapsed()

    def _elapsed(self) -> float:
        return max(time.monotonic() - self._started, 1e-9)

    def _remaining(self) -> tuple[str, str]:
        if self.done >= self.planned:
            return "took", clock(self._elapsed())
        eta = self._eta()
        return "eta", "unknown" if eta is None else clock(eta)

    def _eta(self) -> float | None:
        """Return the seconds until the end, or None before any work is done."""
        if self._foreseen is not None and self.done < self.planned:
            at, eta_s = self._foreseen
            return max(0.0, eta_s - (time.monotonic() - at))
        if self._left is not None and self._spent and self.done < self.planned:
            return self._left * self._elapsed() / self._spent
        rate = self._rate()
        return (self.planned - self.done) / rate if rate else None

    def _log(self, note: str = "") -> None:
        line = self.log_line(note)
        self._write(json_line(line, progress=self.snapshot()) if is_json() else line)

    def _write(self, text: str) -> None:
        write_line(text, self._stream)


def _value(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _tick(phase: "weakref.ref[Phase]", ended: threading.Event, interval: float) -> None:
    while not ended.wait(interval):
        alive = phase()
        if alive is None:
            return
        try:
            if alive.done < alive.planned:
                alive._log()
        except (OSError, ValueError):
            # The stream is closed; the job reports its end elsewhere.
            return
        del alive


class _LineColumn(ProgressColumn):
    """Column that shows the phase's own line, so that terminal and log agree."""

    def __init__(self, phase: Phase) -> None:
        super().__init__()
        self._phase = phase

    def render(self, task: Task) -> Text:
        task.completed = self._phase.done
        return Text(self._phase.line(), overflow="ellipsis", no_wrap=True)


def _live_line(phase: Phase, stream: TextIO) -> Progress:
    console = Console(file=stream)
    bar = Progress(TextColumn(" "), BarColumn(20), _LineColumn(phase), console=console, transient=True)
    bar.add_task(phase.name, total=phase.planned)
    bar.start()
    _LIVE.append(bar)
    return bar


def clock(seconds: float) -> str:
    """Return seconds as `1:45` or `2:03:05`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
