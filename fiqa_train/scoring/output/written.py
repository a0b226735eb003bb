"""Writes rows of scores as they are made, goes on where an earlier call was interrupted, and sums them up."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from synfiqa.cluster.telemetry.log_lines import emit, is_json
from synfiqa.fiqa_train.scoring.output.journal import Journal
from synfiqa.fiqa_train.scoring.output.row_files import row_file
from synfiqa.fiqa_train.scoring.output.score_columns import Row, score_schema
from synfiqa.fiqa_train.scoring.output.scorer_column import ScorerColumn
from synfiqa.fiqa_train.scoring.output.sheet import Read, SheetRows, write_sheet
from synfiqa.fiqa_train.scoring.output.tally import Tally
from synfiqa.fiqa_train.scoring.output.target import is_stream
from synfiqa.schemas.errors import JobFailed

type Group = tuple[str, list[Row]]
"""Name of a photograph, or of a video, with all its rows."""


@dataclass(frozen=True)
class Output:
    """Where scores go: a file, or standard output for None; and what its columns and its record hold.

    `settings` must be equal for an interrupted call to go on; `shots` for the best shots of videos.
    """

    target: Path | None
    scorers: Sequence[ScorerColumn]
    settings: Mapping[str, Any] = field(default_factory=dict)
    shots: bool = False

    @property
    def name(self) -> str:
        """The file in messages."""
        return "standard output" if self.target is None else str(self.target)


def write_scores(
    output: Output, names: Sequence[str], groups: Callable[[frozenset[str]], Iterable[Group]], sheet: SheetRows
) -> Tally:
    """Write the rows of all `names`, in order, and return their counts; the rows of an interrupted call are kept.

    `groups` is called with the names that are done, and yields the others with their rows. UserError where the file
    was begun with other settings; JobFailed when it cannot be written on, its rows so far being kept.
    """
    schema = score_schema(output.scorers, shots=output.shots)
    tally, file, wanted = Tally(), row_file(output.target, schema), frozenset(names)
    target, journal = output.target, None
    if target is not None and not is_stream(str(target)):
        journal = Journal(target, {**output.settings, "columns": schema.names})

    def kept() -> Iterator[Group]:
        # What an earlier call scored under names that this one does not have is no part of its result.
        return (entry for entry in journal.entries() if entry[0] in wanted) if journal else iter(())

    try:
        done = set()
        with _writing(output):
            for name, rows in kept():
                done.add(name)
                file.add(rows)
                _count(rows, tally, sheet)
        if done:
            note(f"{len(done)} of {len(names)} are in {output.name} already: going on with the rest")
        for name, rows in _with_bar(groups(frozenset(done)), len(names), len(done)):
            with _writing(output):
                if journal is not None:
                    journal.add(name, rows)
                file.add(rows)
            _count(rows, tally, sheet)
        with _writing(output):
            file.finish(row for _, rows in kept() for row in rows)
    finally:
        file.close()
        if journal is not None:
            journal.close(remove=sys.exc_info()[0] is None)
    return tally


def report(
    output: Output, tally: Tally, sheet: SheetRows, read: Read, preview: Path | None, unit: str = "photographs"
) -> None:
    """Write the sheet, if a folder is given, and the table of counts to standard error.

    JobFailed where nothing was scored.
    """
    counts = ", ".join(f"{count} {name}" for name, count in tally.outcomes.most_common())
    if preview is not None:
        models = ", ".join(scorer.name for scorer in output.scorers)
        facts = {"Scores": output.name, "Scored by": models, "Outcomes": counts}
        note(f"sheet: {write_sheet(preview, sheet, read, facts)}")
    for line in tally.lines(output.name, unit):
        note(line)
    if not tally.scored:
        raise JobFailed(
            f"nothing could be scored ({counts or 'no rows'}): the column reason of {output.name} states why for each"
        )


def note(text: str) -> None:
    """Write one line to standard error, which scores on standard output must not mix with."""
    emit(text, text=text)


def _count(rows: Sequence[Row], tally: Tally, sheet: SheetRows) -> None:
    tally.add(rows)
    sheet.add(rows)


def _with_bar(groups: Iterable[Group], total: int, done: int) -> Iterator[Group]:
    bar = Progress(
        TextColumn("score"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=is_json(),
    )
    with bar:
        task = bar.add_task("score", total=total, completed=done)
        for group in groups:
            yield group
            bar.advance(task)


@contextmanager
def _writing(output: Output) -> Iterator[None]:
    """Turn an error of the file or of standard output into JobFailed, one sentence."""
    try:
        yield
    except BrokenPipeError as error:
        # The interpreter flushes standard output once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise JobFailed("the reader of standard output closed it before all scores were written") from error
    except OSError as error:
        raise JobFailed(
            f"cannot go on writing {output.name} ({error.strerror or error}): make room or give --out another place; "
            "the same command goes on after the rows that are there"
        ) from error
