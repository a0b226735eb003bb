"""Synthetic face-image-quality datasets, and quality models trained on them: the public API, imported on first use.

`synfiqa.score("photo.jpg")`, `synfiqa.load_scorer("runs/quickstart")`, `synfiqa.edc(similarity, genuine, quality,
fmr)` and `synfiqa.open_run("s3://bucket/run")`. `import synfiqa` itself imports neither Ray nor torch.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synfiqa.fiqa_train.datasets.opened_run import OpenedRun, open_run
    from synfiqa.fiqa_train.evaluation.edc import Edc, edc
    from synfiqa.fiqa_train.scoring.from_python import score
    from synfiqa.fiqa_train.scoring.photographs import Score, SearchOptions
    from synfiqa.fiqa_train.scoring.sources import load_scorer

__all__ = ["Edc", "OpenedRun", "Score", "SearchOptions", "edc", "load_scorer", "open_run", "score"]

_HOMES = {
    "Edc": "fiqa_train.evaluation.edc:Edc",
    "OpenedRun": "fiqa_train.datasets.opened_run:OpenedRun",
    "Score": "fiqa_train.scoring.photographs:Score",
    "edc": "fiqa_train.evaluation.edc:edc",
    "SearchOptions": "fiqa_train.scoring.photographs:SearchOptions",
    "load_scorer": "fiqa_train.scoring.sources:load_scorer",
    "open_run": "fiqa_train.datasets.opened_run:open_run",
    "score": "fiqa_train.scoring.from_python:score",
}

try:
    __version__ = version("synfiqa")
except PackageNotFoundError:
    # A cluster job may run straight from its working directory, without an installed package.
    __version__ = "0+checkout"


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'synfiqa' has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    found = getattr(import_module(f"synfiqa.{module}"), attribute)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted({*globals(), *__all__})
