"""The JSON file of `synfiqa calibrate --out`: memory of each stage, bound to the config it was measured with."""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from synfiqa.cluster.storage.record_file import write_record
from synfiqa.schemas.config.base import Section
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError, first_fault

_ELSEWHERE = {"run", "placement", "resilience", "label", "train", "evaluate", "storage"}
"""Sections of the config that do not change the memory of a stage."""


class MemoryCalibration(Section):
    """Memory of each stage as it was measured, in MB."""

    format: Literal["synfiqa-calibration-1"] = "synfiqa-calibration-1"
    config_sha256: str = Field(description="digest of the sections that decide the memory, see `memory_digest`")
    device: Literal["cpu", "cuda"] = Field(description="where it was measured: main memory, or that of a GPU")
    gpu_memory_mb: int = Field(ge=0, description="memory of the GPU that was planned for, 0 without one")
    memory_mb: dict[str, int] = Field(min_length=1, description="stage name -> memory of one worker at its peak")


def memory_digest(config: RunConfig) -> str:
    """Return the SHA-256 (hex) of what decides the memory of stages: models, sizes and batches, not run or cluster."""
    kept = config.model_dump(mode="json", exclude=_ELSEWHERE)
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def write_calibration(path: Path, config: RunConfig, found: dict[str, Any]) -> None:
    """Write the result of a calibration, whole or not at all; UserError where that is not possible."""
    record = MemoryCalibration(
        config_sha256=memory_digest(config),
        device=found["device"],
        gpu_memory_mb=found["placement"]["gpu_memory_mb"],
        memory_mb=found["placement"]["memory_mb"],
    )
    write_record(path, record)


def read_calibration(path: Path, config: RunConfig) -> MemoryCalibration:
    """Read a calibration of this config; UserError for a missing or damaged file, or one of another config."""
    try:
        record = MemoryCalibration.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"--calibration {path} cannot be read ({error.strerror}); check the path") from error
    except ValidationError as error:
        raise UserError(
            f"--calibration {path} is no calibration ({first_fault(error, 'JSON')}); make it with `synfiqa calibrate "
            "CONFIG --out FILE`"
        ) from error
    if record.config_sha256 != (own := memory_digest(config)):
        raise UserError(
            f"--calibration {path} was measured with another config ({record.config_sha256[:12]}..., this one is "
            f"{own[:12]}...): run `synfiqa calibrate` again with this one"
        )
    return record
