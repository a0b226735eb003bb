"""Draws the training history (loss and validation agreement per epoch) from `models/<name>/metrics.json`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synfiqa.jobs.report_page.drawing.plots import Plot, training_curve
from synfiqa.schemas.evaluation import TrainingResult

_QUANTITIES = (
    ("loss", "Loss", "training identities"),
    ("validation_spearman", "Spearman", "validation identities"),
    ("validation_error", "Mean absolute error", "validation identities"),
)


@dataclass(frozen=True)
class Training:
    """A sentence about a finished training, its curves, and the digests of the model, its dataset and its labels."""

    summary: str
    epochs: int
    plots: list[Plot]
    model_sha256: str
    dataset: str
    labels: str


def training_of(result: TrainingResult, number: int = 0) -> Training:
    """Return the training history of a model; ids of the drawings start with its `number` on the page."""
    plots = []
    for key, title, remark in _QUANTITIES:
        known = [(entry.epoch, getattr(entry, key)) for entry in result.history if getattr(entry, key) is not None]
        if known:
            series = ([epoch for epoch, _ in known], [value for _, value in known])
            plots.append(Plot(training_curve(series, f"{number}-{key}", f"{title}, {remark}"), title, remark))
    return Training(
        summary=_summary(result),
        epochs=len(result.history),
        plots=plots,
        model_sha256=result.model_sha256,
        dataset=result.basis.dataset_sha256,
        labels=result.basis.label_sha256,
    )


def _summary(result: TrainingResult) -> str:
    start = "random weights" if result.basis.embedder is None else "the recognition network"
    # The basis leaves out what has its default.
    section = result.basis.train
    how = [f"by {section['method']}"] if "method" in section else []
    how += [f"as {section['network']}"] if "network" in section else []
    trained = "".join(f", {words}" for words in how)
    return (
        f"Model “{result.name}”, {len(result.history)} epochs on {result.train_images:,} images of "
        f"{result.identities['train']:,} identities{trained}, started from {start}. Epoch {result.best_epoch} "
        f"{_choice(section)}, so its weights were kept."
    )


def _choice(section: Mapping[str, Any]) -> str:
    """Return by what the epoch was chosen, in words."""
    if section.get("watch", {}).get("best_by") == "pauc":
        return "had the lowest mean pAUC on the watched test sets"
    teacher = section.get("objective", {}).get("teacher")
    named = teacher if isinstance(teacher, str) else ", ".join(teacher or ())
    target = f"scores of {named} for" if named else "labels of"
    return f"agreed best with the {target} validation identities"
