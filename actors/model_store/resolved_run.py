"""A config resolved once on the driver: its models with their cards and digests, which jobs and stages receive."""

from dataclasses import dataclass, field
from pathlib import Path

from synfiqa.actors.degradation.plugin_factors import check_intervals
from synfiqa.actors.model_store.cache import digest_of, locate
from synfiqa.actors.model_store.catalogue import Catalogue, Model
from synfiqa.actors.model_store.digest import file_digest
from synfiqa.actors.model_store.plugin_models import try_plugged
from synfiqa.actors.model_store.selection import RunModels, catalogue_of, require_commercial, run_models
from synfiqa.cluster.run.fingerprint import library_versions
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import BUILT_IN, PLUGIN, RANDOM, ModelCard
from synfiqa.schemas.plugins import SCORERS, find

BANK = "template-bank"
"""Name under which the file of `diffusion.templates` enters the fingerprint document."""


@dataclass(frozen=True)
class ResolvedRun:
    """What a config names. `digests` holds one a model, `built-in` for code; `cards` are those that a run records.

    `libraries` are the driver's versions of all libraries that decide bytes, packages of plug-ins among them.
    `judges` are those of `evaluate.judges`. `catalogue` also holds the models that the config does not name, such as an
    embedder of earlier labels.
    """

    config: RunConfig
    models: RunModels
    cards: tuple[ModelCard, ...]
    digests: dict[str, str]
    libraries: dict[str, str]
    catalogue: Catalogue = field(repr=False, compare=False)
    judges: tuple[Model, ...] = ()

    def digest(self, model: Model) -> str:
        """Return the digest of a model of the catalogue, whether the config names it or not."""
        return self.digests.get(model.name) or digest_of(model)


@dataclass(frozen=True)
class VerifiedWeights:
    """Where the weights of each model lie on this node, and the digests that enter the fingerprint document."""

    paths: dict[str, Path]
    digests: dict[str, str]


def resolve(config: RunConfig) -> ResolvedRun:
    """Read the catalogue and return the resolved run; UserError for unknown names, wrong roles, forbidden licences.

    No weights are read: digests come from cards. Rows and operators of factor plug-ins are checked.
    """
    check_intervals(config.generate.factors)
    catalogue = catalogue_of(config.models)
    models = run_models(config.models, config.generate, catalogue)
    cards = tuple(model.card for model in models.of_dataset() if model.card.in_recipe)
    judges = tuple(catalogue.model(name, "embedder") for name in config.evaluate.judges)
    if config.models.require_commercial:
        require_commercial(judges)
    named = {model.name: model for model in (*models.all_models(), *judges)}
    digests = {name: digest_of(model) for name, model in named.items()}
    return ResolvedRun(config, models, cards, digests, library_versions(config, cards), catalogue, judges)


def verify_weights(run: ResolvedRun) -> VerifiedWeights:
    """Verify (with models.offline=false also fetch) the weights of all models here, before any actor starts.

    Weights of judges are verified too: they load long after the dataset is made. UserError for weights
    that are missing or not those of their card, for a template bank that cannot be read, and for a model of a plug-in,
    scorers of the evaluation included, whose output is not right.
    """
    models = [*run.models.all_models(), *run.judges]
    paths = {model.name: locate(model) for model in models if not model.origin.startswith(RANDOM)}
    try_plugins(run)
    made = {model.name: run.digests[model.name] for model in run.models.of_dataset()}
    digests = {name: digest for name, digest in made.items() if digest != BUILT_IN}
    return VerifiedWeights(paths, digests | _bank_digest(run.config))


def try_plugins(run: ResolvedRun) -> None:
    """Run every model of a plug-in that the config names on two images; UserError where its output is not right."""
    named = [name for name in run.config.evaluate.scorers if find(SCORERS, name)]
    scorers = [run.catalogue.model(name, "quality") for name in named]
    models = [*run.models.all_models(), *run.judges, *scorers]
    for model in {model.name: model for model in models if model.card.architecture == PLUGIN}.values():
        try_plugged(model.card, locate(model))


def _bank_digest(config: RunConfig) -> dict[str, str]:
    path = config.diffusion.templates
    if not path or config.models.conditional_kind.commands_recipe:
        return {}
    try:
        return {BANK: file_digest(Path(path))}
    except OSError as error:
        raise UserError(
            f"the template bank {path} cannot be read ({error.strerror}): correct diffusion.templates, or leave it out"
        ) from error
