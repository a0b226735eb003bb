"""Procedural 3-D face model: identities from seeds, portraits with exact labels from recipes."""

from synfiqa.actors.face3d.render.renderer import HeadRenderer, RenderedFaces
from synfiqa.actors.face3d.shape.identity import Identity, sample_identity

__all__ = ["HeadRenderer", "Identity", "RenderedFaces", "sample_identity"]
