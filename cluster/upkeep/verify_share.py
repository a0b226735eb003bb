"""The share of a run's files that a verification reads: all, a spread sample, or what an interrupted one has left."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from synfiqa.cluster.upkeep.verify_unit import Problem, UnitFindings
from synfiqa.schemas.manifest import DataFile
from synfiqa.schemas.seeds import derive_seed, generator


@dataclass(frozen=True)
class Task:
    """A unit, label part or model to read: its path, its committed files, and a key of content and time of change."""

    path: str
    files: tuple[DataFile, ...]
    key: str
    read: Callable[[], UnitFindings]


@dataclass(frozen=True)
class Sample:
    """How many tasks to read: a `number`, or a `percent` of them; the seed decides which."""

    number: int = 0
    percent: float = 0.0
    seed: int = 0

    def of(self, tasks: int) -> int:
        """Return how many of so many tasks are read: at least one, at most all."""
        wanted = self.number or int(np.ceil(tasks * self.percent / 100))
        return min(max(wanted, 1), tasks)


def chosen(tasks: Sequence[Task], sample: Sample) -> list[Task]:
    """Return a sample of the tasks: one at random, by the seed, of each of as many stretches of equal length."""
    count = sample.of(len(tasks)) if tasks else 0
    rng = generator(derive_seed(sample.seed, "verify", count))
    edges = [len(tasks) * stretch // count for stretch in range(count + 1)] if count else []
    return [tasks[int(rng.integers(low, high))] for low, high in pairwise(edges)]


def read_task(task: Task) -> tuple[str, UnitFindings]:
    """Return the key of a task and what is found when it is read."""
    return task.key, task.read()


def key_of(path: str, content: str, files: Sequence[DataFile], times: Mapping[str, float]) -> str:
    """Return the key of a task: another content of its commit, or a file that was written since, is another key."""
    changed = [repr(times.get(file.path, 0.0)) for file in files]
    return hashlib.sha256("\n".join([path, content, *changed]).encode()).hexdigest()


def unlike_listing(files: Sequence[DataFile], sizes: Mapping[str, int]) -> list[Problem]:
    """Return the problems of committed files that need no reading: missing ones and those of another length."""
    problems = []
    for file in files:
        size = sizes.get(file.path)
        if size is None:
            problems.append(Problem(file.path, "missing", "it is committed but gone; restore it from a copy"))
        elif size != file.bytes:
            kind = "short" if size < file.bytes else "long"
            problems.append(Problem(file.path, kind, f"it has {size} of {file.bytes} bytes; restore it"))
    return problems


class FinishedTasks:
    """Tasks without a problem, as lines of a file on this machine, so that an interrupted verification goes on.

    The file is not in the run: to verify takes no right to write, and what one machine has read is not read by another.
    """

    def __init__(self, file: Path, *, again: bool = False) -> None:
        self._file = file
        if again:
            file.unlink(missing_ok=True)
        self._found: dict[str, UnitFindings] = {}
        for line in file.read_text().splitlines() if file.exists() else ():
            try:
                key, size, rows = json.loads(line)
            except ValueError:
                continue  # the line that was being written at the interruption
            candidates = None if rows is None else np.array(rows, np.int64).reshape(-1, 3)
            self._found[key] = UnitFindings(bytes=size, candidates=candidates)

    def get(self, key: str) -> UnitFindings | None:
        """Return what was found when this content was read, None when it was not."""
        return self._found.get(key)

    def add(self, key: str, found: UnitFindings) -> None:
        """Record a task that has no problem; one with a problem is read again."""
        if found.problems:
            return
        rows = None if found.candidates is None else found.candidates.tolist()
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a") as lines:
            lines.write(json.dumps([key, found.bytes, rows]) + "\n")

    def end(self) -> None:
        """Forget all, since the verification has come to its end: the next one reads everything."""
        self._file.unlink(missing_ok=True)
