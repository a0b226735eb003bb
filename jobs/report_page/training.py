"""How the model was trained: loss and held-out agreement per epoch, from `models/<name>/metrics.json`."""

from dataclasses import dataclass
from typing import Any

from cluster.storage import Storage
from jobs.report_page.data import read_json
from jobs.report_page.factors import Plot
from jobs.report_page.plots import training_curve
from schemas.config import RunConfig

_QUANTITIES = (
    ("loss", "Loss", "training identities"),
    ("validation_spearman", "Spearman", "validation identities"),
    ("validation_error", "Mean absolute error", "validation identities"),
)


@dataclass(frozen=True)
class Training:
    """A sentence about the finished training, and its curves."""

    summary: str
    plots: list[Plot]


def read_training(config: RunConfig, storage: Storage) -> Training | None:
    """Return the training history of the run's model, or None when none has been trained to the end."""
    metrics = read_json(storage, f"models/{config.train.name}/metrics.json")
    if metrics is None:
        return None
    history: list[dict[str, Any]] = metrics.get("history", [])
    plots = []
    for key, title, remark in _QUANTITIES:
        known = [entry for entry in history if entry.get(key) is not None]
        if known:
            series = ([entry["epoch"] for entry in known], [entry[key] for entry in known])
            plots.append(Plot(training_curve(series, key, f"{title}, {remark}"), title, remark))
    return Training(_summary(config, metrics, len(history)), plots)


def _summary(config: RunConfig, metrics: dict[str, Any], epochs: int) -> str:
    sizes = metrics.get("identities", {})
    text = f"Model “{config.train.name}”, {epochs} epochs"
    if "train" in sizes:
        text += f" on {metrics.get('train_images', 0):,} images of {sizes['train']:,} identities"
    text += ", started from "
    text += "the recognition network." if config.train.initialise == "embedder" else "random weights."
    best = metrics.get("best_epoch")
    if best:
        text += f" Epoch {best} agreed best with the labels of validation identities, so its weights were kept."
    return text
