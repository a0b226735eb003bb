"""Checks the file that `--out` names before anything is scored: its format, and that it replaces no input."""

import os
from collections.abc import Iterable
from pathlib import Path

from synfiqa.fiqa_train.scoring.output.journal import SUFFIX
from synfiqa.fiqa_train.scoring.output.row_files import FORMATS, is_scores
from synfiqa.schemas.errors import UserError

STANDARD_OUTPUT = "-"


def is_stream(out: str) -> bool:
    """Return whether scores go to a stream, which keeps nothing for a later call: `-`, a pipe or a device."""
    return out == STANDARD_OUTPUT or (Path(out).exists() and not Path(out).is_file() and not Path(out).is_dir())


def named_target(out: str) -> Path:
    """Return the file of scores; UserError for a folder."""
    target = Path(out).expanduser()
    if target.is_dir():
        raise UserError(f"{target} is a folder: give --out the name of a file, such as scores.csv")
    return target


def without_scores(paths: Iterable[str | Path]) -> tuple[list[str], list[str]]:
    """Return the inputs, and those left out since they are scores of an earlier call, as `photos/*` names them too."""
    kept: list[str] = []
    left: list[str] = []
    for path in map(str, paths):
        (left if path.endswith(SUFFIX) or is_scores(Path(path)) else kept).append(path)
    return kept, left


def check_target(target: Path, inputs: Iterable[Path]) -> None:
    """Raise UserError where scores would replace one of the inputs, and for an ending that is no format."""
    _refuse_input(target, inputs)
    if not is_stream(str(target)) and target.suffix.lower() not in FORMATS:
        raise UserError(
            f"--out {target}: the ending decides the format; end it with one of {', '.join(FORMATS)}, or give - for "
            "CSV on standard output"
        )


def _refuse_input(target: Path, inputs: Iterable[Path]) -> None:
    """Raise UserError where a file is one of the inputs, also through another name or link."""
    # `Path.absolute` keeps "..", and `Path.resolve` follows a broken link.
    name, status = os.path.abspath(target), _status(target)  # noqa: PTH100
    for path in inputs:
        found = _status(path) if status else None
        if os.path.abspath(path) == name or (status and found and os.path.samestat(status, found)):  # noqa: PTH100
            raise UserError(f"{target} is one of the photographs: give --out another name, such as scores.csv")


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
