"""Draws the training history (loss and validation agreement per epoch) from `models/<name>/metrics.json`."""

from dataclasses import dataclass

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
    return (
        f"Model “{result.name}”, {len(result.history)} epochs on {result.train_images:,} images of "
        f"{result.identities['train']:,} identities, started from {start}. Epoch {result.best_epoch} agreed "
        "best with the labels of validation identities, so its weights were kept."
    )
