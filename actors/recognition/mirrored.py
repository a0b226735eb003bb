"""Embeds faces and their mirror images, for f_r and for the verification of a model."""

import numpy as np

from synfiqa.actors.roles import Embedder


def both_sides(embedder: Embedder, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return unit vectors (N, D) of uint8 faces (N, 112, 112, 3), and those of their mirror images."""
    return _unit(embedder.embed(images)), _unit(embedder.embed(np.ascontiguousarray(images[:, :, ::-1])))


def recognition_vectors(embedder: Embedder, images: np.ndarray, mirrored: bool) -> np.ndarray:
    """Return the unit vectors (N, D) that f_r compares: of a face, or of a face and its mirror image together."""
    return _unit(np.add(*both_sides(embedder, images))) if mirrored else embedder.embed(images)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
