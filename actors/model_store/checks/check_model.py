"""`models check`: compares a card with its weights by digest, fit, finite output, canary and wrong cards."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from synfiqa.actors.model_store.architectures.extras import missing_extra, remedy
from synfiqa.actors.model_store.cache import cache_folder, locate, verify
from synfiqa.actors.model_store.catalogue import Model, check_contract
from synfiqa.actors.model_store.checks.canary import ROLES, TOLERANCE, answer_of, compare, moved, recorded, wrong_cards
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import play
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.model_card import BUILT_IN, RANDOM, ModelCard


@dataclass
class Finding:
    """What the check of one model found. `problems` make it fail; `answer` is what its card may record as canary."""

    name: str
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    answer: tuple[float, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the card may be used."""
        return not self.problems


def check_model(model: Model, *, fetch: bool = False) -> Finding:
    """Check one model against its card; every problem is a sentence, none is raised."""
    finding = Finding(model.name)
    if extra := missing_extra(model.card):
        finding.notes.append(f"not checked, it needs synfiqa[{extra}]: {remedy(extra)}")
        return finding
    try:
        path = locate(model, fetch=fetch)
        if model.origin != BUILT_IN and not model.origin.startswith(RANDOM):
            verify(path, model.card.sha256, model.name, cache_folder(model.cache), again=True)
        player = play(model.card, path, Execution(micro_batch=2))
    except (UserError, JobFailed) as error:
        finding.problems.append(str(error))
        return finding
    except Exception as error:  # the libraries that load models share no base of their errors
        finding.problems.append(f"it cannot be loaded ({_line(error)})")
        return finding
    if model.origin == BUILT_IN:
        finding.notes.append("code without weights")
        return finding
    if model.card.role not in ROLES:
        finding.notes.append(f"its weights fit; there is no canary for the role {model.card.role}")
        return finding
    _judge(finding, model.card, player)
    return finding


def _judge(finding: Finding, card: ModelCard, player: Any) -> None:
    try:
        right = answer_of(card.role, player)
    except Exception as error:  # as above; what one model does must not end the check of the others
        finding.problems.append(f"it cannot answer the canary ({_line(error)})")
        return
    if not np.isfinite(right).all():
        finding.problems.append("its output on the canary is not finite: the weights or the value range are wrong")
        return
    finding.answer = recorded(right)
    if card.canary:
        apart = compare(card.canary, right)
        if not apart <= TOLERANCE:
            finding.problems.append(
                f"its answer to the canary is not the one on the card (off by {apart:.2g} of the largest value, "
                f"{TOLERANCE:g} allowed): channel order, range, size or weights differ from when it was recorded"
            )
    else:
        finding.notes.append("no canary recorded: the input contract is as its card says, unproven")
    if not right.any():
        finding.notes.append("its answer to the canary is all zeros, which proves little")
    for what, distance in sensitivities(card, player, right).items():
        if distance <= TOLERANCE:
            finding.notes.append(f"blind to wrong {what}")


def sensitivities(card: ModelCard, player: Any, right: np.ndarray) -> dict[str, float]:
    """Return by how much the answer moves when the card is wrong in one thing; infinite where that cannot go unnoticed.

    A model may refuse the wrong input, and the store refuses a card that its architecture's contracts rule out. Players
    read their input contract from `player.card` at every call, so that a wrong card needs no second load.
    """
    found: dict[str, float] = {}
    for what, wrong in wrong_cards(card).items():
        player.card = wrong
        try:
            found[what] = moved(right, _quietly(lambda: answer_of(card.role, player)))
        finally:
            player.card = card
        if found[what] <= TOLERANCE and _ruled_out(wrong):
            found[what] = float("inf")
    return found


def _ruled_out(card: ModelCard) -> bool:
    try:
        check_contract(card, card.name)
    except UserError:
        return True
    return False


def _quietly(ask: Callable[[], np.ndarray]) -> np.ndarray:
    """Return the output, or an empty one when the model refuses its input, which counts as different."""
    try:
        return ask()
    except Exception:  # whatever the reason: the wrong input did not pass for a right one
        return np.empty(0)


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
