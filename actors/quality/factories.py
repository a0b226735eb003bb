"""Builds quality scorers by name: from the model store with the settings of a run, or as a run supplies them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from synfiqa.actors.model_store.architectures.table import load
from synfiqa.actors.model_store.cache import digest_of, locate
from synfiqa.actors.model_store.catalogue import Catalogue, Model
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import play
from synfiqa.actors.players import player
from synfiqa.actors.quality.guard import GuardedScorer
from synfiqa.actors.quality.measures.random_order import RandomOrder
from synfiqa.actors.quality.registry import FROQ_SUFFIX, SCORERS, STORED, require_known
from synfiqa.actors.quality.training_free.embedder_scorers import EmbeddingNorm, MirrorCosine
from synfiqa.actors.roles import QualityScorer
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import BUILT_IN, ModelCard


@dataclass(frozen=True)
class ScorerSettings:
    """What scorers take from a run: models by name, the embedder that scorers read, the seed of random numbers."""

    catalogue: Catalogue = field(default_factory=Catalogue.load)
    embedder: str = "bundled-a"
    seed: int = 0
    device: str = "cpu"

    def model(self, name: str) -> Model:
        """Return the model of a scorer; a name that ends with `.froq.json` is the path of a calibration."""
        if name.endswith(FROQ_SUFFIX):
            from synfiqa.actors.quality.training_free.froq.froq_scorer import froq_model

            return froq_model(name)
        return self.catalogue.model(name, "quality")


def scorers_of(
    names: Iterable[str], settings: ScorerSettings, supplied: Mapping[str, QualityScorer], where: str
) -> dict[str, GuardedScorer]:
    """Return the named scorers, guarded, in order; `supplied` are those of the run, `where` names the key or option.

    UserError for a name without a row, or one that must be supplied and is not.
    """
    names = list(names)
    require_known(names, where, settings.catalogue.source)
    return {name: GuardedScorer(name, _scorer(name, settings, supplied, where)) for name in names}


def scorer_digests(names: Iterable[str], settings: ScorerSettings) -> dict[str, str]:
    """Return the digests of the weights that the named scorers read, by name; none for code alone."""
    digests: dict[str, str] = {}
    for name in names:
        if not SCORERS.get(name, STORED).factory.startswith(__name__):
            continue
        model = settings.model(name)
        reads = "embedder" in model.card.arguments
        digest = digest_of(settings.catalogue.model(settings.embedder, "embedder") if reads else model)
        if digest != BUILT_IN:
            digests[name] = digest
    return digests


def stored_models(names: Iterable[str], settings: ScorerSettings) -> dict[str, Model]:
    """Return the models of the named scorers that are quality networks of the store, by name."""
    factory = STORED.factory
    found = {name: settings.model(name) for name in names if SCORERS.get(name, STORED).factory == factory}
    return {name: model for name, model in found.items() if model.origin != BUILT_IN}


def require_buildable(names: Iterable[str], settings: ScorerSettings, where: str) -> None:
    """Raise UserError for a scorer whose embedder lacks what it reads, or whose calibration does not fit it.

    Those that a run supplies, and networks of the store, whose weights are verified elsewhere, are passed over.
    """
    needing = [
        name
        for name in names
        if name.endswith(FROQ_SUFFIX) or SCORERS.get(name, STORED).factory == f"{__name__}:{by_embedder.__name__}"
    ]
    scorers_of(needing, settings, {}, where)


def stored(name: str, settings: ScorerSettings) -> QualityScorer:
    """Load a scorer of the model store."""
    model = settings.model(name)
    scorer: QualityScorer = play(model.card, locate(model), Execution(settings.device))
    return scorer


def seeded(name: str, settings: ScorerSettings) -> RandomOrder:
    """Return random scores by the seed of the settings."""
    return RandomOrder(_with(settings.model(name).card, seed=settings.seed))


def embedding_norm(name: str, settings: ScorerSettings) -> EmbeddingNorm:
    """Return the norm by the embedder of the settings."""
    return EmbeddingNorm(*_card_and_embedder(name, settings))


def mirror_cosine(name: str, settings: ScorerSettings) -> MirrorCosine:
    """Return the mirror cosine by the embedder of the settings."""
    return MirrorCosine(*_card_and_embedder(name, settings))


def by_embedder(name: str, settings: ScorerSettings) -> QualityScorer:
    """Return a scorer that reads layers or gradients of the embedder of the settings.

    UserError where that is no torch network, or lacks what the scorer reads.
    """
    from synfiqa.actors.quality.training_free.by_recogniser import build_scorer
    from synfiqa.actors.quality.training_free.recogniser import recogniser_of

    model = settings.catalogue.model(settings.embedder, "embedder")
    card = _with(settings.model(name).card, embedder=settings.embedder)
    return build_scorer(card, recogniser_of(model, name))


def _scorer(name: str, settings: ScorerSettings, supplied: Mapping[str, QualityScorer], where: str) -> QualityScorer:
    if name in supplied:
        return supplied[name]
    row = SCORERS.get(name, STORED)
    if not row.factory:
        raise UserError(f"{where}: the scorer '{name}' needs {row.supplied_by}; leave it out here")
    scorer: QualityScorer = load(row.factory)(name, settings)
    return scorer


def _card_and_embedder(name: str, settings: ScorerSettings) -> tuple[ModelCard, Any]:
    embedder = player(settings.catalogue.model(settings.embedder, "embedder"))
    return _with(settings.model(name).card, embedder=settings.embedder), embedder


def _with(card: ModelCard, **arguments: Any) -> ModelCard:
    return card.model_copy(update={"arguments": card.arguments | arguments})
