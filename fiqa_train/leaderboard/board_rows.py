"""Rows of a leaderboard: the run's models and scorers, and the judges; what cannot be had is named and left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from synfiqa.actors.model_store.architectures.extras import require_extra
from synfiqa.actors.model_store.catalogue import Catalogue, Model
from synfiqa.actors.quality.factories import ScorerSettings, scorers_of, stored_models
from synfiqa.actors.quality.guard import GuardedScorer
from synfiqa.actors.quality.trained.network_scorer import NetworkScorer
from synfiqa.actors.roles import takes_portraits
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.evaluation.baselines import LabelScorer
from synfiqa.fiqa_train.training.checkpoints import load_trained
from synfiqa.fiqa_train.training.seen import with_record
from synfiqa.fiqa_train.training.task import is_trained, recorded_training
from synfiqa.schemas.config.leaderboard_config import LeaderboardConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.evaluation import TrainingResult
from synfiqa.schemas.manifest import RunManifest
from synfiqa.schemas.model_card import ModelCard

SCORERS = "evaluate.scorers"
MODEL, LABEL = "model", "label"


@dataclass
class Rows:
    """Scorers by name in the order of the page, without `label`; trainings of the run's models, cards of all others."""

    scorers: dict[str, GuardedScorer]
    trainings: dict[str, TrainingResult]
    with_label: bool
    cards: dict[str, ModelCard]
    left_out: list[str] = field(default_factory=list)

    def on_run(self, label: np.ndarray) -> dict[str, GuardedScorer]:
        """Return the scorers with that of the run's labels (N,), NaN for references."""
        if not self.with_label:
            return self.scorers
        return {**self.scorers, LABEL: GuardedScorer(LABEL, LabelScorer(label))}

    @property
    def names(self) -> list[str]:
        """Return the names of all rows."""
        return [*self.scorers, *([LABEL] if self.with_label else [])]


def finished_models(storage: Storage) -> list[str]:
    """Return the names of the run's finished models, sorted."""
    found = {path.split("/")[1] for path in storage.list("models") if path.count("/") >= 2}
    return sorted(name for name in found if is_trained(storage, name))


def rows_of(config: LeaderboardConfig, storage: Storage, manifest: RunManifest, settings: ScorerSettings) -> Rows:
    """Return the rows that the run and this machine have; UserError when there is none."""
    left_out: list[str] = []
    scorers: dict[str, GuardedScorer] = {}
    trainings: dict[str, TrainingResult] = {}
    wanted = list(config.models) or finished_models(storage)
    if not wanted:
        left_out.append("models of the run: it has no finished one; run `synfiqa train`")
    others = [name for name in config.evaluate.scorers if name not in (MODEL, LABEL)]
    for name in wanted:
        if name in others or name in (MODEL, LABEL):
            left_out.append(f"model {name}: a scorer has this name; train it under another")
            continue
        try:
            training = recorded_training(storage, name, manifest)
        except UserError as error:
            left_out.append(f"model {name}: {error}")
            continue
        if training is None:
            left_out.append(f"model {name}: the run has no finished model of this name")
            continue
        model = load_trained(storage, name)
        scorers[name] = GuardedScorer(name, model if takes_portraits(model) else NetworkScorer(model))
        trainings[name] = training
    for name in others:
        try:
            scorers |= scorers_of([name], settings, {}, SCORERS)
        except UserError as error:
            left_out.append(f"scorer {name}: {error}")
    if not scorers:
        raise UserError("no scorer of evaluate.scorers can be had here: " + "; ".join(left_out))
    stored = stored_models([name for name in scorers if name not in trainings], settings)
    cards = {name: with_record(model) for name, model in stored.items()}
    return Rows(scorers, trainings, LABEL in config.evaluate.scorers, cards, left_out)


def judges_at_hand(
    names: Sequence[str], catalogue: Catalogue, labelling: str, left_out: list[str]
) -> Mapping[str, Model]:
    """Return the judges that this machine has, those that did not label first; others are named in `left_out`.

    UserError when none of them is independent of the labels.
    """
    found: dict[str, Model] = {}
    for name in names:
        try:
            model = catalogue.model(name, "embedder")
            require_extra(model.card)
        except UserError as error:
            left_out.append(f"judge {name}: {error}")
        else:
            found[name] = model
    independent = [name for name in found if name != labelling]
    if not independent:
        raise UserError(
            f"no judge is left that did not make the labels ({'; '.join(left_out) or labelling}): name another "
            "embedder in evaluate.judges"
        )
    return {name: found[name] for name in (*independent, *(name for name in found if name == labelling))}
