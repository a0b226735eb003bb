"""What people see while a run works: one live line per phase on a terminal, a structured line now and then in logs."""

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TextIO


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


@dataclass
class Phase:
    """Counts of one phase. `done` never exceeds `planned`; rate and ETA leave out work found already done."""

    name: str
    planned: int
    unit: str = "units"
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    log_interval: float = 30.0
    counts: Counter = field(default_factory=Counter)
    done: int = 0
    found: int = 0
    _started: float = field(default_factory=time.monotonic)
    _printed: float = 0.0

    def resume(self, done: int, counts: dict[str, int] | None = None) -> None:
        """Account for work of an earlier submit."""
        self.done = self.found = min(done, self.planned)
        self.counts.update(counts or {})
        self._print(force=False)

    def advance(self, amount: int = 1, counts: dict[str, int] | None = None) -> None:
        """Account for finished work."""
        self.done = min(self.done + amount, self.planned)
        self.counts.update(counts or {})
        self._print(force=False)

    def close(self, note: str = "") -> None:
        """Print the last line of the phase, which always equals the final counts."""
        self._print(force=True, note=note)

    def line(self, note: str = "") -> str:
        """The phase as one line: done/planned, outcomes, rate, ETA."""
        elapsed = max(time.monotonic() - self._started, 1e-9)
        rate = (self.done - self.found) / elapsed
        parts = [f"{self.name:<10} {self.done}/{self.planned} {self.unit}"]
        parts += [f"{count} {name}" for name, count in self.counts.items()]
        if rate > 0:
            parts.append(f"{rate:.3g} {self.unit}/s")
        if self.done < self.planned:
            parts.append(f"ETA {_clock((self.planned - self.done) / rate)}" if rate > 0 else "ETA -:--")
        else:
            parts.append(f"took {_clock(elapsed)}")
        return " | ".join([*parts, note] if note else parts)

    def _print(self, *, force: bool, note: str = "") -> None:
        live = self.stream.isatty()
        now = time.monotonic()
        if not force and now - self._printed < (0.2 if live else self.log_interval):
            return
        self._printed = now
        if live:
            self.stream.write("\r\x1b[2K" + self.line(note)[:200] + ("\n" if force else ""))
        else:
            self.stream.write(self.line(note) + "\n")
        self.stream.flush()
