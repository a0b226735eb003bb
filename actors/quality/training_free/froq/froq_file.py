"""The JSON file of a FROQ calibration: chosen modules by name, their statistics, the network, and the data."""

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from synfiqa.actors.quality.training_free.froq.choice import Mode
from synfiqa.actors.quality.training_free.froq.pseudo_labels import LabelSettings
from synfiqa.cluster.storage.record_file import write_record
from synfiqa.schemas.errors import UserError, first_fault
from synfiqa.schemas.model_card import CardPart, ModelCard

LEAST_IMAGES = 30
"""Below this number of images the correlations that choose modules are chance."""


class EmbedderRecord(CardPart):
    """The recognition network of a calibration; `card` and `origin` are those of a network that is not bundled."""

    name: str
    sha256: str = Field(description="digest of the weights")
    origin: str = Field("", description="where its weights lie, absolute path or URL")
    card: ModelCard | None = None


class ModuleRecord(CardPart):
    """A chosen module with the statistics of its norm over the calibration images."""

    name: str = Field(min_length=1, description="dotted name in the network")
    rho: float = Field(description="Spearman correlation of its norm with the label")
    mean: float
    std: float = Field(gt=0)
    sign: Literal[-1, 1]


class FroqFile(CardPart):
    """A calibration of FROQ: all that its scores depend on, beside the weights of the network."""

    format: Literal["synfiqa-froq-1"] = "synfiqa-froq-1"
    mode: Mode
    embedder: EmbedderRecord
    permutation: tuple[int, int, int] | None = Field(None, description="of R, G, B; absent: the order of the card")
    modules: tuple[ModuleRecord, ...] = Field(min_length=1)
    trace: tuple[float, ...] = Field(description="rho of the mean after each step of the search")
    labels: LabelSettings
    images: int = Field(ge=LEAST_IMAGES, description="calibration images")
    images_sha256: str = Field(description="digest of their pixels in order")
    data: str = Field(description="where they are from")


def read_froq(path: Path) -> FroqFile:
    """Read a calibration; UserError for a missing, foreign or damaged file."""
    try:
        return FroqFile.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"the FROQ file {path} cannot be read ({error.strerror}); check the path") from error
    except ValueError as error:
        cause = first_fault(error, "JSON") if isinstance(error, ValidationError) else str(error)
        raise UserError(f"{path} is no FROQ calibration ({cause}); make it with `synfiqa froq calibrate`") from error


def write_froq(path: Path, calibration: FroqFile) -> None:
    """Write a calibration as JSON, whole or not at all; UserError where that is not possible."""
    write_record(path, calibration)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 (hex) of a calibration file; UserError for one that cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"the FROQ file {path} cannot be read ({error.strerror}); check the path") from error
