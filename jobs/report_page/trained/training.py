"""Draws the training history (loss and validation agreement per epoch) from `models/<name>/metrics.json`."""

from dataclasses import dataclass

from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.report_page.data import read_result
from synfiqa.jobs.report_page.factors import Plot
from synfiqa.jobs.report_page.plots import training_curve
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import JobFailed
from synfiqa.schemas.evaluation import OtherVersion, TrainingResult

_QUANTITIES = (
    ("loss", "Loss", "training identities"),
    ("validation_spearman", "Spearman", "validation identities"),
    ("validation_error", "Mean absolute error", "validation identities"),
)


@dataclass(frozen=True)
class Training:
    """A sentence about the finished training, its curves, the digest of the model and that of its dataset."""

    summary: str
    plots: list[Plot]
    model_sha256: str
    dataset: str


def read_training(config: RunConfig, storage: Storage) -> Training | None:
    """Return the training history of the run's model, or None when none has been trained to the end."""
    path = f"models/{config.train.name}/metrics.json"
    try:
        result = read_result(storage, path, TrainingResult)
    except OtherVersion as error:
        raise JobFailed(
            f"{storage.uri(path)} is of {error}; report with the synfiqa that wrote it, or choose another train.name"
        ) from error
    return None if result is None else _training(config, result)


def _training(config: RunConfig, result: TrainingResult) -> Training:
    plots = []
    for key, title, remark in _QUANTITIES:
        known = [(entry.epoch, getattr(entry, key)) for entry in result.history if getattr(entry, key) is not None]
        if known:
            series = ([epoch for epoch, _ in known], [value for _, value in known])
            plots.append(Plot(training_curve(series, key, f"{title}, {remark}"), title, remark))
    return Training(_summary(config, result), plots, result.model_sha256, result.basis.dataset_sha256)


def _summary(config: RunConfig, result: TrainingResult) -> str:
    start = "random weights" if result.basis.embedder is None else "the recognition network"
    return (
        f"Model “{config.train.name}”, {len(result.history)} epochs on {result.train_images:,} images of "
        f"{result.identities['train']:,} identities, started from {start}. Epoch {result.best_epoch} agreed "
        "best with the labels of validation identities, so its weights were kept."
    )
