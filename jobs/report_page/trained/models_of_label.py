"""The models of a run that were trained on one label pass, each with its training and its evaluation."""

from dataclasses import dataclass

from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.status_reads import subfolders
from synfiqa.jobs.report_page.data import LabelPass, read_result
from synfiqa.jobs.report_page.trained.evaluation import Evaluation, read_evaluation
from synfiqa.jobs.report_page.trained.levels_and_groups import Audit, read_audit
from synfiqa.jobs.report_page.trained.training import Training, training_of
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import JobFailed
from synfiqa.schemas.evaluation import OtherVersion, TrainingResult


@dataclass(frozen=True)
class TrainedModel:
    """One model that was trained to the end; `evaluation` is None where there is none of this version.

    `audit` holds levels and groups; without one of this evaluation, `no_audit` is a sentence on how to get it.
    """

    name: str
    training: Training
    evaluation: Evaluation | None
    audit: Audit | None
    no_audit: str


@dataclass(frozen=True)
class LabelModels:
    """Models of one label pass, the one that the config names first; `notes` are sentences about what is not shown.

    `other_version`: an evaluation is there, but of another version.
    """

    models: list[TrainedModel]
    notes: list[str]
    other_version: bool


def read_models(config: RunConfig, storage: Storage) -> LabelModels:
    """Return the models of the run whose labels are those of `label.name`, read from their `metrics.json`.

    JobFailed when the config's own model is of another version, or a file is damaged.
    """
    own, label = config.train.name, config.label.name
    names = sorted(subfolders(storage, "models"), key=lambda name: (name != own, name))
    models: list[TrainedModel] = []
    notes: list[str] = []
    other_version = False
    for name in names:
        try:
            result = _read_metrics(storage, name, own)
        except OtherVersion as error:
            notes.append(f"The model {name} is left out: its metrics.json is of {error}.")
            continue
        if result is None:
            continue
        if result.basis.label != label:
            if name == own:
                notes.append(
                    f"The model {name}, which the config names, was trained on the labels {result.basis.label}: it is "
                    "in their report. To train one on these labels, choose another train.name."
                )
            continue
        evaluation, note = read_evaluation(storage, name, len(models))
        if note:
            notes.append(note)
            other_version = True
        audit, no_audit = (None, "") if evaluation is None else read_audit(storage, name, len(models))
        if audit is not None and evaluation is not None and audit.model_sha256 != evaluation.model_sha256:
            audit, no_audit = (
                None,
                f"Levels and groups of {name} are those of another model: run synfiqa evaluate again.",
            )
        models.append(TrainedModel(name, training_of(result, len(models)), evaluation, audit, no_audit))
    if models and own not in names:
        notes.append(f"The model {own}, which the config names, is not trained yet (synfiqa train).")
    return LabelModels(models, notes, other_version)


def stale_models(models: list[TrainedModel], label_pass: LabelPass | None, digest: str) -> list[str]:
    """Return a warning for each model of other shards or labels than those of now, and for each older evaluation."""
    lines = []
    for model in models:
        training, evaluation = model.training, model.evaluation
        if training.dataset != digest:
            lines.append(
                f"The model {model.name} was trained on other shards: choose another train.name and run synfiqa train."
            )
        elif label_pass is not None and training.labels != label_pass.digest:
            lines.append(
                f"The model {model.name} was trained on other labels of the name {label_pass.name}: choose another "
                "train.name and run synfiqa train."
            )
        if evaluation is not None and evaluation.model_sha256 != training.model_sha256:
            lines.append(f"The evaluation of {model.name} is that of an earlier model: run synfiqa evaluate.")
    return lines


def _read_metrics(storage: Storage, name: str, own: str) -> TrainingResult | None:
    path = f"models/{name}/metrics.json"
    try:
        return read_result(storage, path, TrainingResult)
    except OtherVersion as error:
        if name != own:
            raise
        raise JobFailed(
            f"{storage.uri(path)} is of {error}; report with the synfiqa that wrote it, or choose another train.name"
        ) from error
