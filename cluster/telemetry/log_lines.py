"""Lines on stderr, as text or as JSON with time, level, run, unit, node, stage and message."""

import json
import logging
import socket
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

FORMATS = ("text", "json")
FIELDS = ("time", "level", "run", "unit", "node", "stage", "message")
"""Fields of every JSON line, in this order; null where there is none. `progress` and `traceback` may follow."""

_NODE = socket.gethostname()
_context: dict[str, str] = {}
_format = "text"
_lock = threading.Lock()


def is_json() -> bool:
    """Return whether lines are JSON in this process."""
    return _format == "json"


def log_format() -> str:
    """Return the format of lines in this process, text or json."""
    return _format


def use(name: str) -> None:
    """Write lines in this format from now on; JSON also for Python's logging and for errors that end the process."""
    global _format
    if name not in FORMATS:
        raise ValueError(f"the format of lines is {' or '.join(FORMATS)}, not {name}")
    if name == _format:
        return
    _format = name
    if is_json():
        logging.captureWarnings(True)
        logging.getLogger().addHandler(_HANDLER)
        sys.excepthook = _write_uncaught
    else:
        logging.captureWarnings(False)
        logging.getLogger().removeHandler(_HANDLER)
        sys.excepthook = sys.__excepthook__


@contextmanager
def lines_as(name: str) -> Iterator[None]:
    """Write lines in this format inside the block."""
    before = _format
    use(name)
    try:
        yield
    finally:
        use(before)


def bind(**fields: str) -> None:
    """Give all further JSON lines of this process these fields: run, unit or stage; an empty one is removed."""
    _context.update(fields)


@contextmanager
def bound(**fields: str) -> Iterator[None]:
    """Give JSON lines these fields inside the block."""
    before = dict(_context)
    bind(**fields)
    try:
        yield
    finally:
        _context.clear()
        _context.update(before)


def emit(message: str, level: str = "info", *, text: str | None = None, stream: TextIO | None = None) -> None:
    """Write a line to stderr; `text` is how it looks as text, `synfiqa: ` and the message by default."""
    shown = f"synfiqa: {message}" if text is None else text
    write_line(json_line(message, level) if is_json() else shown, stream)


def write_line(line: str, stream: TextIO | None = None) -> None:
    """Write a line whole, at once, also where several threads write."""
    stream = stream or sys.stderr
    with _lock:
        stream.write(line + "\n")
        stream.flush()


def json_line(message: str, level: str = "info", **more: Any) -> str:
    """Return a message as a JSON object of one line, with the fields of this process."""
    return json.dumps(record(message, level, **more), ensure_ascii=False, default=str)


def record(message: str, level: str, **more: Any) -> dict[str, Any]:
    """Return the fields of a line: time in UTC with milliseconds, level info, warning or error, and the rest."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "run": _context.get("run") or None,
        "unit": _context.get("unit") or None,
        "node": _NODE,
        "stage": _context.get("stage") or None,
        "message": message,
        **more,
    }


class JsonFormatter(logging.Formatter):
    """Formats records of Python's logging as lines of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        more = {"traceback": self.formatException(record.exc_info)} if record.exc_info else {}
        level = "error" if record.levelno >= logging.ERROR else record.levelname.lower()
        return json_line(f"{record.name}: {record.getMessage()}", level, **more)


def dress_loggers(*names: str) -> None:
    """Have loggers with handlers of their own, such as Ray's, write JSON too where lines are JSON."""
    for name in names if is_json() else ():
        for handler in logging.getLogger(name).handlers:
            handler.setFormatter(JsonFormatter())


class _StderrHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to the stderr of the moment, which tests and jobs replace."""

    def emit(self, record: logging.LogRecord) -> None:
        write_line(self.format(record))


_HANDLER = _StderrHandler()
_HANDLER.setLevel(logging.WARNING)
_HANDLER.setFormatter(JsonFormatter())


def _write_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    whole = "".join(traceback.format_exception(kind, error, trace))
    write_line(json_line(f"{kind.__name__}: {error}", "error", traceback=whole))
