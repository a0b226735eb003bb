"""Lists the names of the stages, which sections of the config have as keys."""

import difflib
from collections.abc import Iterable

from synfiqa.schemas.errors import UserError

STAGES = (
    "identity_generator",
    "identity_filter",
    "identity_reader",
    "conditional_generator",
    "annotator",
    "shard_writer",
)
"""Names of the stages of both halves, in order."""


def require_stages(names: Iterable[str], where: str) -> None:
    """Raise UserError for a name of no stage, with the most similar one; `where` is the key that holds it."""
    unknown = next((name for name in names if name not in STAGES), None)
    if unknown is None:
        return
    close = difflib.get_close_matches(unknown, STAGES, n=1)
    hint = f"did you mean {close[0]}?" if close else f"stages: {', '.join(STAGES)}"
    raise UserError(f"{where}: there is no stage '{unknown}': {hint}")
