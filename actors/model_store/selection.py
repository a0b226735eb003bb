"""The models of one run by the part they play: chosen and checked on the driver, pickled to the workers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from synfiqa.actors.model_store.architectures.table import architecture_of
from synfiqa.actors.model_store.catalogue import Catalogue, Model
from synfiqa.schemas.config.base import Precision
from synfiqa.schemas.config.generate import GenerateSection
from synfiqa.schemas.config.models import ModelsSection
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import FACE_EMBEDDING


@dataclass(frozen=True)
class ConditionalModels:
    """The models of generation by diffusion: a 3-D face with its encoder, a parser, the image model, its embedder."""

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
    """One model a part; `scorers` rate every sample.

    `uniqueness` judges duplicates, `more_embedders` are measured beside `embedder`. `conditional_generator` makes the
    samples; `conditional` holds the models of its chain where it is diffusion.
    """

    identity_generator: Model
    conditional_generator: Model
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
    scorers: tuple[Model, ...]
    precision: Precision
    micro_batch: int
    mirrored_recognition: bool = False

    def of_dataset(self) -> list[Model]:
        """Return every model whose output ends up in the dataset, each once."""
        played = [
            self.identity_generator,
            *(self.conditional.all_models() if self.conditional else []),
            self.conditional_generator,
            *(self.detector, self.pose, self.glasses, self.expression, self.uniqueness),
            *(self.embedder, *self.more_embedders, self.image_text),
            *self.scorers,
        ]
        return list({model.name: model for model in played}.values())

    def all_models(self) -> list[Model]:
        """Return every model that the run names, each once."""
        return list({model.name: model for model in (*self.of_dataset(), self.evaluation_embedder)}.values())


def catalogue_of(section: ModelsSection) -> Catalogue:
    """Return the models that the config can name."""
    return Catalogue.load(section.catalogue, section.cache, offline=section.offline)


def run_models(
    section: ModelsSection, generate: GenerateSection | None = None, catalogue: Catalogue | None = None
) -> RunModels:
    """Return the models that the config names; UserError for unknown names, wrong roles, forbidden licences.

    Generators that render receive the settings of `generate`. The catalogue is read unless it is given.
    """
    catalogue = catalogue or catalogue_of(section)
    model, kind = catalogue.model, section.conditional_kind
    conditional = None if kind.card else _conditional(section, model)
    samples = conditional.diffusion if conditional else model(kind.card, "conditional_generator")
    generate = generate or GenerateSection()
    chosen = RunModels(
        identity_generator=_with_settings(model(section.identity_generator, "identity_generator"), generate),
        conditional_generator=_with_settings(samples, generate),
        conditional=conditional,
        detector=model(section.detector, "detector"),
        pose=model(section.pose, "pose"),
        glasses=model(section.glasses, "glasses"),
        expression=model(section.expression, "expression"),
        uniqueness=model(section.uniqueness or section.embedder, "embedder"),
        embedder=model(section.embedder, "embedder"),
        more_embedders=tuple(model(name, "embedder") for name in section.more_embedders),
        image_text=model(section.image_text, "image_text"),
        evaluation_embedder=model(section.evaluation_embedder, "embedder"),
        scorers=tuple(_scorer(name, model) for name in section.scorers),
        precision=section.precision,
        micro_batch=section.micro_batch,
        mirrored_recognition=section.mirrored_recognition,
    )
    if section.require_commercial:
        require_commercial(chosen.all_models())
    return chosen


def _scorer(name: str, model: Callable[..., Model]) -> Model:
    """Return a scorer of `models.scorers`; UserError for one that depends on more than the image."""
    if name in ("model", "label", "random"):
        raise UserError(f"models.scorers: '{name}' depends on more than the image: leave it out")
    found: Model = model(name, "quality")
    return found


def _with_settings(model: Model, generate: GenerateSection) -> Model:
    """Return the model with the settings of the run that its architecture takes as arguments of its card."""
    names = architecture_of(model.card).run_settings
    if not names:
        return model
    arguments = model.card.arguments | generate.model_dump(mode="json", include=set(names))
    return replace(model, card=model.card.model_copy(update={"arguments": arguments}))


def _conditional(section: ModelsSection, model: Callable[..., Model]) -> ConditionalModels:
    chosen = ConditionalModels(
        face_model=model(section.face_model, "face_model"),
        face_encoder=model(section.face_encoder, "face_encoder"),
        face_parser=model(section.face_parser, "face_parser") if section.face_parser else None,
        diffusion=model(section.conditional_diffusion, "conditional_diffusion"),
        embedder=model(section.control_embedder or section.embedder, "embedder"),
    )
    numbers = chosen.embedder.card.arguments.get("embedding_dim", FACE_EMBEDDING)
    if numbers != FACE_EMBEDDING:
        raise UserError(
            f"{chosen.embedder.name} embeds faces in {numbers} numbers but the image model takes {FACE_EMBEDDING}: "
            "name another embedder in models.control_embedder"
        )
    wanted = architecture_of(chosen.face_model.card).measured_by
    if chosen.face_encoder.card.architecture != wanted:
        raise UserError(
            f"{chosen.face_encoder.name} does not measure the parameters of {chosen.face_model.name}: "
            f"models.face_encoder must be of the architecture {wanted}"
        )
    return chosen


def require_commercial(models: Sequence[Model]) -> None:
    """Raise UserError for models whose card does not allow commercial use."""
    if barred := [model for model in models if not model.card.commercial_use]:
        listed = ", ".join(f"{model.name} ({model.card.licence})" for model in barred)
        raise UserError(f"models.require_commercial is set but these models do not allow commercial use: {listed}")
