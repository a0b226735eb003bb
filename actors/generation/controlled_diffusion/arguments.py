"""Card arguments of the conditional diffusion model: files, sampler and texts."""

from typing import Literal

from pydantic import Field

from synfiqa.actors.generation.controlled_diffusion.prompts import PromptBook
from synfiqa.schemas.model_card import CardPart

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


class DiffusionArguments(CardPart):
    """Card arguments; the source is a folder, whose names default to those of the released archive."""

    size: Literal["full", "tiny"] = Field("full", description="of networks that no configuration file describes")
    stable_diffusion: str = Field(
        "SDiff-Stage2.safetensors", pattern=_NAME, description="a file with all parts, or a folder of diffusers' layout"
    )
    control: str = Field("Control-Module.pth", pattern=_NAME, description="control branch and identity maps")
    clip: str = Field("clip-vit-large-patch14", pattern=_NAME, description="folder: both towers and the tokenizer")
    steps: int = Field(20, ge=1, le=1000, description="of DDIM")
    guidance: float = Field(7.0, ge=1, le=50, description="how far away from the negative text")
    compile: bool = Field(False, description="torch.compile: minutes at the start, another rounding")
    prompts: PromptBook = Field(default_factory=PromptBook)
