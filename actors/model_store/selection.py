"""The models of one run by the part they play, chosen and checked on the driver, pickled to the workers."""

from dataclasses import dataclass

from actors.model_store.cache import digest_of, locate
from actors.model_store.catalogue import Catalogue, Model
from cluster.errors import UserError
from schemas.config import PROCEDURAL, ModelsSection, Precision, RunConfig
from schemas.model_card import BUILT_IN, RANDOM, ModelCard


@dataclass(frozen=True)
class RunModels:
    """One model a part. `uniqueness` judges duplicates, `more_embedders` are measured beside `embedder`.

    `identity_generator` is None where procedural heads are rendered.
    """

    identity_generator: Model | None
    detector: Model
    pose: Model
    glasses: Model
    expression: Model
    uniqueness: Model
    embedder: Model
    more_embedders: tuple[Model, ...]
    image_text: Model
    evaluation_embedder: Model
    precision: Precision
    micro_batch: int

    def of_dataset(self) -> list[Model]:
        """Return every model whose output ends up in the dataset, each once."""
        played = [
            *([self.identity_generator] if self.identity_generator else []),
            *(self.detector, self.pose, self.glasses, self.expression, self.uniqueness),
            *(self.embedder, *self.more_embedders, self.image_text),
        ]
        return list({model.name: model for model in played}.values())

    def everything(self) -> list[Model]:
        """Return every model that the run names, each once."""
        return list({model.name: model for model in (*self.of_dataset(), self.evaluation_embedder)}.values())


def catalogue_of(section: ModelsSection) -> Catalogue:
    """Return the models that the config can name."""
    return Catalogue.load(section.catalogue, section.cache, offline=section.offline)


def run_models(section: ModelsSection) -> RunModels:
    """Return the models that the config names; UserError for unknown names, wrong roles, forbidden licences."""
    catalogue = catalogue_of(section)
    chosen = RunModels(
        identity_generator=None
        if section.identity_generator == PROCEDURAL
        else catalogue.model(section.identity_generator, "identity_generator"),
        detector=catalogue.model(section.detector, "detector"),
        pose=catalogue.model(section.pose, "pose"),
        glasses=catalogue.model(section.glasses, "glasses"),
        expression=catalogue.model(section.expression, "expression"),
        uniqueness=catalogue.model(section.uniqueness or section.embedder, "embedder"),
        embedder=catalogue.model(section.embedder, "embedder"),
        more_embedders=tuple(catalogue.model(name, "embedder") for name in section.more_embedders),
        image_text=catalogue.model(section.image_text, "image_text"),
        evaluation_embedder=catalogue.model(section.evaluation_embedder, "embedder"),
        precision=section.precision,
        micro_batch=section.micro_batch,
    )
    if section.require_commercial:
        _require_commercial(chosen.everything())
    return chosen


def model_digests(config: RunConfig) -> dict[str, str]:
    """Return name -> digest of every model whose output ends up in the dataset, after verifying their weights here.

    Weights are verified (and, with models.offline=false, fetched) on the driver before any actor starts; those of the
    evaluation embedder too, for it is loaded long after the dataset is made.
    """
    chosen = run_models(config.models)
    for model in chosen.everything():
        if not model.origin.startswith(RANDOM):
            locate(model)
    return {model.name: digest_of(model) for model in chosen.of_dataset() if digest_of(model) != BUILT_IN}


def cards_of_dataset(section: ModelsSection) -> tuple[ModelCard, ...]:
    """Return the cards of the models that make the dataset."""
    return tuple(model.card for model in run_models(section).of_dataset())


def _require_commercial(models: list[Model]) -> None:
    if barred := [model for model in models if not model.card.commercial_use]:
        listed = ", ".join(f"{model.name} ({model.card.licence})" for model in barred)
        raise UserError(f"models.require_commercial is set but these models do not allow commercial use: {listed}")
