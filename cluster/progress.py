"""What people see while a run works: a live line per phase on a terminal, one structured line now and then in logs."""

import sys
import time
from collections import Counter
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

LOG_INTERVAL_S = 30.0


_LIVE: list[Progress] = []


def stop_live_lines() -> None:
    """Give the terminal back when a job ends in the middle of a phase: a live line hides the cursor."""
    while _LIVE:
        _LIVE.pop().stop()


class Phase:
    """Counts of one phase. `done` never exceeds `planned`; rate and ETA leave out what an earlier submit had done."""

    def __init__(
        self, name: str, planned: int, unit: str, stream: TextIO | None = None, log_interval: float = LOG_INTERVAL_S
    ) -> None:
        self.name = name
        self.planned = planned
        self.unit = unit
        self.done = 0
        self.counts: Counter[str] = Counter()
        self._found = 0
        self._stream = stream or sys.stderr
        self._interval = log_interval
        self._started = time.monotonic()
        self._logged = self._started
        self._live = _live_line(self, self._stream) if self._stream.isatty() else None

    def resume(self, done: int, counts: dict[str, int] | None = None) -> None:
        """Account for work of an earlier submit."""
        self._found = min(done, self.planned)
        self.advance(done, counts)

    def advance(self, amount: int = 1, counts: dict[str, int] | None = None) -> None:
        """Account for finished work."""
        self.done = min(self.done + amount, self.planned)
        self.counts.update(counts or {})
        now = time.monotonic()
        if self._live is None and self.done < self.planned and now - self._logged >= self._interval:
            self._logged = now
            self._write(self.line())

    def close(self, note: str = "") -> None:
        """End the phase; its last line always equals the final counts."""
        if self._live is not None:
            stop_live_lines()
        self._write(self.line(note))

    def line(self, note: str = "") -> str:
        """The phase as one line: done/planned, outcomes, rate, ETA or time taken."""
        elapsed = max(time.monotonic() - self._started, 1e-9)
        rate = (self.done - self._found) / elapsed
        parts = [f"{self.name:<10} {self.done}/{self.planned} {self.unit}"]
        parts += [f"{count} {name}" for name, count in self.counts.items()]
        if rate > 0:
            parts.append(f"{rate:.3g}/s")
        if self.done >= self.planned:
            parts.append(f"took {_clock(elapsed)}")
        else:
            parts.append(f"ETA {_clock((self.planned - self.done) / rate)}" if rate > 0 else "ETA unknown")
        return " | ".join([*parts, note] if note else parts)

    def _write(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()


class _LineColumn(ProgressColumn):
    """Shows the phase's own line, so that terminal and log never tell different stories."""

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


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
