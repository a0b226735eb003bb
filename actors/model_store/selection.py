"""The models of one run by the part they play, chosen and checked on the driver, pickled to the workers."""

from dataclasses import dataclass
from pathlib import Path

from synfiqa.actors.model_store.cache import digest_of, locate
from synfiqa.actors.model_store.catalogue import Catalogue, Model
from synfiqa.actors.model_store.digest import file_digest
from synfiqa.schemas.config.base import Precision
from synfiqa.schemas.config.models import PROCEDURAL, ModelsSection
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import BUILT_IN, FACE_EMBEDDING, RANDOM, ModelCard

MEASURED_BY = {"flame": "deca-coarse", "procedural-face": "procedural-encoder"}
"""Architecture of a face model -> that of the encoder that measures its parameters."""


@dataclass(frozen=True)
class ConditionalModels:
    """What shows an identity by diffusion: the 3-D face, who measures it, and the image model with its embedder."""

    face_model: Model
    face_encoder: Model
    face_parser: Model | None
    diffusion: Model
    embedder: Model

    def all_models(self) -> list[Model]:
        """Return every model."""
        parser = [self.face_parser] if self.face_parser else []
        return [self.face_model, self.face_encoder, *parser, self.diffusion, self.embedder]


@dataclass(frozen=True)
class RunModels:
    """One model a part. `uniqueness` judges duplicates, `more_embedders` are measured beside `embedder`.

    `identity_generator` and `conditional` are None where procedural heads are rendered.
    """

    identity_generator: Model | None
    conditional: ConditionalModels | None
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
    mirrored_recognition: bool = False

    def of_dataset(self) -> list[Model]:
        """Return every model whose output ends up in the dataset, each once."""
        played = [
            *([self.identity_generator] if self.identity_generator else []),
            *(self.conditional.all_models() if self.conditional else []),
            *(self.detector, self.pose, self.glasses, self.expression, self.uniqueness),
            *(self.embedder, *self.more_embedders, self.image_text),
        ]
        return list({model.name: model for model in played}.values())

    def all_models(self) -> list[Model]:
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
        conditional=None if section.conditional_generator == PROCEDURAL else _conditional(section, catalogue),
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
        mirrored_recognition=section.mirrored_recognition,
    )
    if section.require_commercial:
        _require_commercial(chosen.all_models())
    return chosen


def model_digests(config: RunConfig) -> dict[str, str]:
    """Return name -> digest of every model whose output ends up in the dataset, after verifying their weights here.

    Weights are verified (and, with models.offline=false, fetched) on the driver before any actor starts; those of the
    evaluation embedder too, for it is loaded long after the dataset is made.
    """
    chosen = run_models(config.models)
    for model in chosen.all_models():
        if not model.origin.startswith(RANDOM):
            locate(model)
    found = {model.name: digest_of(model) for model in chosen.of_dataset() if digest_of(model) != BUILT_IN}
    return found | _bank_digest(config)


def cards_of_dataset(section: ModelsSection) -> tuple[ModelCard, ...]:
    """Return the cards of the models that make the dataset."""
    return tuple(model.card for model in run_models(section).of_dataset())


def _conditional(section: ModelsSection, catalogue: Catalogue) -> ConditionalModels:
    chosen = ConditionalModels(
        face_model=catalogue.model(section.face_model, "face_model"),
        face_encoder=catalogue.model(section.face_encoder, "face_encoder"),
        face_parser=catalogue.model(section.face_parser, "face_parser") if section.face_parser else None,
        diffusion=catalogue.model(section.conditional_diffusion, "conditional_diffusion"),
        embedder=catalogue.model(section.control_embedder or section.embedder, "embedder"),
    )
    numbers = chosen.embedder.card.arguments.get("embedding_dim", FACE_EMBEDDING)
    if numbers != FACE_EMBEDDING:
        raise UserError(
            f"{chosen.embedder.name} embeds faces in {numbers} numbers but the image model takes {FACE_EMBEDDING}: "
            "name another embedder in models.control_embedder"
        )
    wanted = MEASURED_BY.get(chosen.face_model.card.architecture)
    if chosen.face_encoder.card.architecture != wanted:
        raise UserError(
            f"{chosen.face_encoder.name} does not measure the parameters of {chosen.face_model.name}: "
            f"models.face_encoder must be of the architecture {wanted}"
        )
    return chosen


def _bank_digest(config: RunConfig) -> dict[str, str]:
    path = config.diffusion.templates
    if not path or config.models.conditional_generator == PROCEDURAL:
        return {}
    try:
        return {"template-bank": file_digest(Path(path))}
    except OSError as error:
        raise UserError(
            f"the template bank {path} cannot be read ({error.strerror}): correct diffusion.templates, or leave it out"
        ) from error


def _require_commercial(models: list[Model]) -> None:
    if barred := [model for model in models if not model.card.commercial_use]:
        listed = ", ".join(f"{model.name} ({model.card.licence})" for model in barred)
        raise UserError(f"models.require_commercial is set but these models do not allow commercial use: {listed}")
