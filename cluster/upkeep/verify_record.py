"""Reads JSON records of a run for verification."""

from pydantic import BaseModel, ValidationError

from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.verify_unit import Problem


def read_record[R: BaseModel](storage: Storage, path: str, model: type[R], problems: list[Problem]) -> R | None:
    """Return a JSON record of the run folder; None, with a problem added, when it is missing or cannot be parsed."""
    try:
        return model.model_validate_json(storage.read(path))
    except FileNotFoundError:
        problems.append(Problem(path, "missing", "it was deleted during the verification; verify again"))
    except ValidationError as error:
        problems.append(Problem(path, "unreadable", f"{first_error(error)}; restore it from a copy"))
    return None


def first_error(error: ValidationError) -> str:
    """Return place and message of the first error."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "content"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"
