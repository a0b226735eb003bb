"""Compares label passes and trained models of a run with their recorded digests."""

import hashlib
from typing import Any

import yaml
from pydantic import ValidationError

from synfiqa.cluster.run.file_roles import CALIBRATION, MODEL_FILE, role_of
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.verify_record import first_error, read_record
from synfiqa.cluster.upkeep.verify_unit import Problem, UnitFindings, check_file
from synfiqa.schemas.calibration import Calibration
from synfiqa.schemas.manifest import DataFile, RunManifest
from synfiqa.schemas.model_card import ModelCard


def read_calibrations(
    storage: Storage, paths: set[str], manifest: RunManifest | None
) -> tuple[dict[str, Calibration], list[Problem]]:
    """Return the latest valid calibration of each label name, and the problems of the others."""
    found: dict[str, Calibration] = {}
    problems: list[Problem] = []
    for path in sorted(paths):
        if not (match := CALIBRATION.fullmatch(path)):
            continue
        calibration = read_record(storage, path, Calibration, problems)
        if calibration is None:
            continue
        if manifest is not None and calibration.fingerprint != manifest.fingerprint:
            problems.append(Problem(path, "mixed", "it belongs to another run; remove it and run `synfiqa label`"))
        if strange := [part.path for part in calibration.parts if role_of(part.path) != "label part"]:
            problems.append(
                Problem(path, "misnamed", f"it names {strange[0]}, which is no label part; restore it from a copy")
            )
            continue
        if match[1] not in found or calibration.revision > found[match[1]].revision:
            found[match[1]] = calibration
    return found, problems


def model_names(paths: set[str]) -> list[str]:
    """Return the sorted names of the models that have a card."""
    return sorted({match[1] for path in paths if (match := MODEL_FILE.fullmatch(path)) and path.endswith("model.yaml")})


def check_label_part(storage: Storage, part: DataFile) -> UnitFindings:
    """Compare a label part with its digest in the calibration."""
    return check_file(storage, part)[1]


def check_model(storage: Storage, name: str) -> UnitFindings:
    """Compare the weights of a model with the digest on its card."""
    weights, card = f"models/{name}/model.safetensors", f"models/{name}/model.yaml"
    try:
        fields: Any = yaml.safe_load(storage.read(card))
        stated = ModelCard.model_validate(fields).sha256
    except (yaml.YAMLError, ValueError) as error:
        reason = first_error(error) if isinstance(error, ValidationError) else str(error).splitlines()[0]
        return UnitFindings(
            [Problem(card, "unreadable", f"{reason}; restore it, or train again under another train.name")]
        )
    try:
        data = storage.read(weights)
    except FileNotFoundError:
        return UnitFindings([Problem(weights, "missing", "its card exists but the weights are gone; restore them")])
    if hashlib.sha256(data).hexdigest() != stated:
        text = "its SHA-256 differs from the one on its card; restore it, or train again under another train.name"
        return UnitFindings([Problem(weights, "damaged", text)], len(data))
    return UnitFindings(bytes=len(data))
