"""What the metadata of an exported quality model state: version of the contract, card, digest of the weights."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

VERSION = "1"
"""Value of the key `synfiqa` in the metadata."""
INPUT, OUTPUT = "images", "scores"
SHAPE = (112, 112, 3)
INPUT_TEXT = "images: uint8 (N, 112, 112, 3), RGB 0..255, faces aligned to the ArcFace template"
OUTPUT_TEXT = "scores: float32 (N,), higher is better"


def metadata_of(card: ModelCard) -> dict[str, str]:
    """Return the metadata of an exported model: `card` is that of the weights, whose digest is `weights_sha256`."""
    fields = card.model_dump(mode="json", exclude={"sha256"})
    return {
        "synfiqa": VERSION,
        "card": json.dumps(fields, sort_keys=True),
        "weights_sha256": card.sha256,
        "input": INPUT_TEXT,
        "output": OUTPUT_TEXT,
    }


def card_of(metadata: Mapping[str, str], data: bytes, source: str) -> ModelCard:
    """Return the card of an ONNX file with the SHA-256 of the file; UserError where it has no contract of ours."""
    if metadata.get("synfiqa") != VERSION:
        state = f"has version {metadata['synfiqa']} of it" if "synfiqa" in metadata else "has none"
        raise UserError(
            f"{source} is no exported quality model: its metadata need contract {VERSION} of synfiqa and it {state}; "
            "make the file with `synfiqa export-model`"
        )
    try:
        fields: dict[str, Any] = json.loads(metadata["card"])
        card = ModelCard(**{**fields, "sha256": hashlib.sha256(data).hexdigest()})
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise UserError(f"the card in {source} is damaged; make the file again with `synfiqa export-model`") from error
    return card
