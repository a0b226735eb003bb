"""A training of DSL-FIQA in this process, without Ray and without a run."""

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from synfiqa.actors.nets.fiqa.dsl.dsl_network import DslNetwork
from synfiqa.actors.quality.trained.portraits.portrait_model import PortraitModel
from synfiqa.fiqa_train.bundled.portrait_model.rendered_portraits import Kept
from synfiqa.fiqa_train.training.dsl.portrait_data import usual_side
from synfiqa.fiqa_train.training.dsl.portrait_set import KeptPortraits, PortraitData
from synfiqa.fiqa_train.training.engine.build_network import build_network, describe
from synfiqa.fiqa_train.training.engine.fit import first_state, fit
from synfiqa.fiqa_train.training.engine.validation import copied
from synfiqa.fiqa_train.training.engine.worker_task import TrainTask
from synfiqa.schemas.config.train_config import TrainSection
from synfiqa.schemas.model_card import ModelCard

LOG = logging.getLogger(__name__)


class InProcess:
    """A `Session` of one worker that starts with the weights of a trained encoder, where there is one."""

    rank, world, device = 0, 1, torch.device("cpu")

    def __init__(self, threads: int, start: dict[str, Any] | None) -> None:
        self.threads, self._start, self.state = threads, start, dict[str, Any]()

    def prepare(self, objective: nn.Module) -> nn.Module:
        """Return the objective as it is."""
        return objective

    def restore(self) -> dict[str, Any] | None:
        """Return the state to start from."""
        return self._start

    def report(self, metrics: dict[str, float], state: Callable[[], dict[str, Any]]) -> None:
        """Keep the state and log the metrics."""
        self.state = state()
        LOG.info("%s", ", ".join(f"{key} {value:.3f}" for key, value in metrics.items()))

    def show(self, progress: dict[str, float]) -> None:
        """Show nothing: epochs are short."""

    def stops(self) -> bool:
        """Never stop."""
        return False


def trained(
    section: TrainSection,
    train: KeptPortraits,
    validation: KeptPortraits,
    seed: int,
    threads: int,
    encoder: DslNetwork | None = None,
) -> PortraitModel:
    """Return the model of a training; `encoder` is a network whose encoder is taken over instead of stage one."""
    start = None
    if encoder is not None:
        section = section.model_copy(update={"dsl": section.dsl.model_copy(update={"encoder_epochs": 0})})
        network = build_network(section, None, seed)
        assert isinstance(network, DslNetwork)
        network.encoder.load_state_dict(encoder.encoder.state_dict())
        start = first_state(network) | {"model": copied(network)}
    card = describe(section, None, "rendered portraits")
    task = TrainTask(
        url="",
        sources=(),
        held_out_source=None,
        identities={},
        rows=len(train),
        section=section,
        initial=None,
        seed=seed,
        card=card,
        portraits=PortraitData(Kept(train), Kept(validation)),
    )
    session = InProcess(threads, start)
    fit(task, session)
    network = build_network(section, None, seed)
    network.load_state_dict(session.state["best"])
    assert isinstance(network, DslNetwork)
    card["arguments"] = {**card["arguments"], "portrait_side": usual_side(train)}
    return PortraitModel(network, ModelCard(**card, sha256="0" * 64, scale=session.state["scale"]))
