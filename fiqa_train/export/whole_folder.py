"""A folder that appears whole or not at all."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synfiqa.schemas.errors import UserError


def require_free(out: Path) -> None:
    """UserError when `out` exists and is not an empty folder."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} exists and is not empty; choose another --out or remove it")


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `out`, renamed to `out` at the end and removed on an error."""
    temporary = out.parent / f".{out.name}-{uuid.uuid4().hex[:12]}"
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"cannot write beside {out} ({error.strerror}); choose another --out") from error
    try:
        yield temporary
        require_free(out)
        temporary.replace(out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
