"""JSON files on this machine that hold one record, as a command writes them where `--out` names."""

from pathlib import Path

from pydantic import BaseModel

from synfiqa.schemas.errors import UserError


def write_record(path: Path, record: BaseModel) -> None:
    """Write a record as JSON, whole or not at all; UserError, which names `--out`, where that is not possible."""
    arriving = path.with_name(path.name + ".part")
    try:
        arriving.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
        arriving.replace(path)
    except OSError as error:
        raise UserError(
            f"--out {path} cannot be written ({error.strerror}): name a file in a folder that exists"
        ) from error
