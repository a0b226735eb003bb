"""Every architecture that a card may name, one module a family of roles."""

from synfiqa.actors.model_store.architectures.architecture import Architecture, Contract, load
from synfiqa.actors.model_store.architectures.face_analysis import FACE_ANALYSIS
from synfiqa.actors.model_store.architectures.generation import GENERATION
from synfiqa.actors.model_store.architectures.image_text import IMAGE_TEXT
from synfiqa.actors.model_store.architectures.quality import QUALITY
from synfiqa.actors.model_store.architectures.recognition import RECOGNITION
from synfiqa.schemas.model_card import PLUGIN, ModelCard

__all__ = ["ARCHITECTURES", "REHEARSAL_VERSION", "Architecture", "Contract", "architecture_of", "load"]

REHEARSAL_VERSION = 1
"""Raised by every change after which random weights of the same settings differ: caches on nodes outlive the code."""

ARCHITECTURES: dict[str, Architecture] = FACE_ANALYSIS | RECOGNITION | IMAGE_TEXT | GENERATION | QUALITY


def architecture_of(card: ModelCard) -> Architecture:
    """Return the architecture that a checked card names."""
    if card.architecture == PLUGIN:
        return Architecture(card.role, player="synfiqa.actors.model_store.plugin_models:load_plugged")
    return ARCHITECTURES[card.architecture]
