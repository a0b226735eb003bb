"""Errors that end a job, each class with its exit code; a message is one sentence with the way out."""

from pydantic import ValidationError


def first_fault(error: ValidationError, whole: str = "") -> str:
    """Return the first fault of a document as `field: message`; `whole` is the name of the document as a field."""
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(str(part) for part in first['loc']) or whole}: {first['msg']}"


class UserError(Exception):
    """Invalid request (exit code 2): bad config, wrong folder, changed recipe."""

    exit_code = 2


class JobFailed(Exception):
    """Failure of the work itself (exit code 1): no accepted identity, missing input, damaged data."""

    exit_code = 1


class TooManyDead(JobFailed):
    """Share of dead rows above `resilience.max_dead_rate` (exit code 3); committed data stay."""

    exit_code = 3


class RunHeld(JobFailed):
    """Run that another driver holds, or has taken over from this one (exit code 4)."""

    exit_code = 4


class StorageRefused(UserError):
    """Permanent error of the store (exit code 2): access denied, missing bucket, expired credentials, full disk."""


class StorageUnavailable(JobFailed):
    """Transient error of the store beyond the retry budget (exit code 1): run the same command again."""
