"""Every architecture that a card may name, one module a family of roles."""

from synfiqa.actors.model_store.architectures.architecture import Architecture, Contract, load
from synfiqa.actors.model_store.architectures.face_analysis import FACE_ANALYSIS
from synfiqa.actors.model_store.architectures.generation import GENERATION
from synfiqa.actors.model_store.architectures.image_text import IMAGE_TEXT
from synfiqa.actors.model_store.architectures.quality import QUALITY
from synfiqa.actors.model_store.architectures.recognition import RECOGNITION

__all__ = ["ARCHITECTURES", "REHEARSAL_VERSION", "Architecture", "Contract", "load"]

REHEARSAL_VERSION = 1
"""Raised by every change after which random weights of the same settings differ: caches on nodes outlive the code."""

ARCHITECTURES: dict[str, Architecture] = FACE_ANALYSIS | RECOGNITION | IMAGE_TEXT | GENERATION | QUALITY
