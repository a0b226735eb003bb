"""Procedural 3-D face model: identities from seeds, portraits with exact labels from recipes."""

from synfiqa.actors.face3d.identity import Identity, sample_identity
from synfiqa.actors.face3d.renderer import HeadRenderer, RenderedFaces

__all__ = ["HeadRenderer", "Identity", "RenderedFaces", "sample_identity"]
