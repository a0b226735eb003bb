"""Draws the training history (loss and validation agreement per epoch) from `models/<name>/metrics.json`."""

from dataclasses import dataclass
from typing import Any

from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.report_page.data import of_this_version, read_json
from synfiqa.jobs.report_page.factors import Plot
from synfiqa.jobs.report_page.plots import training_curve
from synfiqa.schemas.config.run import RunConfig

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
    metrics = read_json(storage, path)
    if metrics is None:
        return None
    with of_this_version(storage, path):
        return _training(config, metrics)


def _training(config: RunConfig, metrics: dict[str, Any]) -> Training:
    history: list[dict[str, Any]] = metrics["history"]
    plots = []
    for key, title, remark in _QUANTITIES:
        known = [entry for entry in history if entry.get(key) is not None]
        if known:
            series = ([entry["epoch"] for entry in known], [entry[key] for entry in known])
            plots.append(Plot(training_curve(series, key, f"{title}, {remark}"), title, remark))
    dataset = metrics["basis"]["dataset_sha256"]
    return Training(_summary(config, metrics, len(history)), plots, metrics["model_sha256"], dataset)


def _summary(config: RunConfig, metrics: dict[str, Any], epochs: int) -> str:
    start = "the recognition network" if metrics["basis"]["train"]["initialise"] == "embedder" else "random weights"
    return (
        f"Model “{config.train.name}”, {epochs} epochs on {metrics['train_images']:,} images of "
        f"{metrics['identities']['train']:,} identities, started from {start}. Epoch {metrics['best_epoch']} agreed "
        "best with the labels of validation identities, so its weights were kept."
    )
