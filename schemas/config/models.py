"""Config section of the models."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from synfiqa.schemas.config.base import Name, Precision, Section

NOT_RECIPE = ("catalogue", "cache", "offline", "require_commercial", "evaluation_embedder")
"""Keys of the models section that change no byte of the dataset; weights enter the recipe by digest."""


ONLY_DIFFUSION = ("face_model", "face_encoder", "face_parser", "conditional_diffusion", "control_embedder")
"""Keys of the models section that only generation by diffusion reads."""


@dataclass(frozen=True)
class ConditionalKind:
    """Properties of a value of `models.conditional_generator`.

    `commands_recipe`: every factor of a recipe is rendered as commanded; else a template and a prompt show the face.
    `card` is its built-in model; empty where `models.conditional_diffusion` names one. `identities` is the only
    identity generator whose identities it can show; empty: any. `unread` are keys of the section that it never reads.
    """

    commands_recipe: bool
    card: str = ""
    identities: str = ""
    unread: tuple[str, ...] = ()


CONDITIONAL_KINDS = {
    "procedural": ConditionalKind(
        commands_recipe=True, card="procedural-samples", identities="procedural", unread=ONLY_DIFFUSION
    ),
    "diffusion": ConditionalKind(commands_recipe=False),
}


class ModelsSection(Section):
    """Which model plays each role. Bundled names need no download."""

    catalogue: str = Field("", description="models.yaml with cards of own checkpoints; bundled ones need none")
    cache: str = Field(
        "", description="folder on each node for fetched weights; empty: SYNFIQA_CACHE, ~/.cache/synfiqa"
    )
    offline: bool = Field(True, description="false lets a run fetch what `synfiqa models fetch` has not")
    require_commercial: bool = Field(False, description="refuse models whose card does not allow commercial use")
    precision: Precision = Field("float32", description="number format of weights and activations of all networks")
    micro_batch: int = Field(
        8,
        ge=1,
        le=4096,
        description="images per network call, short ones are padded; raise it on GPUs; part of the recipe",
    )
    identity_generator: Name = Field("procedural", description="procedural, or a card that makes pseudo-identities")
    conditional_generator: Literal["procedural", "diffusion"] = Field(
        "procedural", description="diffusion: conditional_diffusion under control of a 3-D face, see section diffusion"
    )
    face_model: Name = Field("procedural-face", description="3-D face that control maps are drawn of")
    face_encoder: Name = Field("procedural-encoder", description="measures the 3-D face of an identity")
    face_parser: Name | Literal[""] = Field("", description="paints all but the face white for the image encoder")
    conditional_diffusion: Name | Literal[""] = Field("", description="image model under control; diffusion needs one")
    control_embedder: Name | Literal[""] = Field(
        "", description="embedder of 512 numbers that conditions the image model; empty: models.embedder"
    )
    detector: Name = Field("mtcnn", description="finds the face and its five landmarks")
    pose: Name = Field("landmark-pose", description="head pose of candidates, and of samples as measured_yaw")
    glasses: Name = Field("line-glasses", description="scores how surely a candidate wears glasses, 0..1")
    expression: Name = Field("commanded-expression", description="measures the expression of a candidate, 0..1")
    uniqueness: Name | Literal[""] = Field("", description="embedder of the duplicate rule; empty: models.embedder")
    embedder: Name = Field("bundled-a", description="recognition network of the label component f_r")
    more_embedders: tuple[Name, ...] = Field((), description="further embedders whose f_r is measured beside")
    mirrored_recognition: bool = Field(
        False, description="f_r is that of a face and of its mirror image together, for twice the embedding time"
    )
    scorers: tuple[Name, ...] = Field(
        (),
        description="quality scorers whose scores of every sample are stored as columns score_NAME: norm, mirror, "
        "detector, sharpness, bundled-quality, those without training (docs/evaluation.md), cards of the catalogue, "
        "plug-ins",
    )
    evaluation_embedder: Name = Field("bundled-b", description="independent network that evaluation verifies with")
    image_text: Name = Field(
        "bundled-clip", description="image-text network of the label component v_l and its prompts"
    )

    @property
    def conditional_kind(self) -> ConditionalKind:
        """Return the properties of the chosen conditional generator."""
        return CONDITIONAL_KINDS[self.conditional_generator]

    @model_validator(mode="after")
    def _check(self) -> "ModelsSection":
        names = (self.embedder, *self.more_embedders)
        if len(set(names)) != len(names):
            raise ValueError(f"models.embedder and models.more_embedders must differ, not {', '.join(names)}")
        if len(set(self.scorers)) != len(self.scorers):
            raise ValueError(f"models.scorers must name no scorer twice, not {', '.join(self.scorers)}")
        kind, name = self.conditional_kind, self.conditional_generator
        if not (kind.card or self.conditional_diffusion):
            raise ValueError(f"models.conditional_generator is {name}: name its card in models.conditional_diffusion")
        if kind.identities and self.identity_generator != kind.identities:
            raise ValueError(
                f"the {name} conditional generator cannot show the identities of {self.identity_generator}: set "
                f"models.identity_generator to {kind.identities} as well"
            )
        return self
