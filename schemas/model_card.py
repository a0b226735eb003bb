"""What must be known of a network before its first pixel: never implicit, always on the card."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Role = Literal["embedder", "image_text", "quality"]


class ModelCard(BaseModel):
    """Input contract, output, origin and licence of one model; lives beside its weights as `<name>.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    role: Role
    architecture: str = Field(description="name and arguments of the network, e.g. 'iresnet-small'")
    arguments: dict = Field(default_factory=dict)
    sha256: str = Field(description="of the weights file")
    input_size: int = Field(gt=0, description="side of the square input, pixels")
    channels: Literal["rgb", "bgr", "gray"]
    value_range: tuple[float, float] | None = Field(description="of the input; None when standardised per image")
    normalise: Literal["range", "per-image", "clip"] = "range"
    output: str = Field(description="what comes out, with shape and range")
    higher_is_better: bool | None = None
    licence: str
    commercial_use: bool
    trained_on: str
    command: str = Field(description="what reproduces the weights")
    metrics: dict[str, float] = Field(default_factory=dict)
