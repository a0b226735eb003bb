"""Misaligned landmarks: rotated, shifted and scaled with respect to the true ones."""

import numpy as np

from synfiqa.actors.imaging.alignment import ARCFACE_SIZE, similarity_transform, transform_points
from synfiqa.schemas.recipe import Recipe
from synfiqa.schemas.seeds import derive_seed, generator

_SHIFT = 12.0  # largest shift along either axis at 90 degrees, pixels of the crop
_LOG_SCALE = 0.3  # largest change of the scale's logarithm at 90 degrees


def misaligned_landmarks(landmarks: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Return landmarks (5, 2) whose alignment has the commanded misalignment; unchanged where it is 0.

    The crop turns by `recipe.misalignment` degrees, clockwise for > 0, about its centre; a small shift and a change of
    scale, drawn from the seed, grow in proportion.
    """
    if recipe.misalignment == 0:
        return landmarks
    aligned = similarity_transform(landmarks[None])
    error = _alignment_error(recipe)
    # Similarities form a group: the best fit to these points is the correct alignment followed by the error.
    wrong = transform_points(transform_points(landmarks[None], aligned), _inverse(error)[None])
    return np.asarray(transform_points(wrong, _inverse(aligned[0])[None])[0])


def _alignment_error(recipe: Recipe) -> np.ndarray:
    """Return the affine map (2, 3) from the correctly aligned crop to the misaligned one."""
    # Rotation, shift and scale have one strength: an aligner that fails in one of them fails in all.
    rng = generator(derive_seed(recipe.seed, "misalignment"))
    share = abs(recipe.misalignment) / 90
    shift, growth = share * rng.uniform(-_SHIFT, _SHIFT, 2), np.exp(share * rng.uniform(-_LOG_SCALE, _LOG_SCALE))
    turn = np.radians(recipe.misalignment)
    # y runs down, so that this turns clockwise.
    rotation = growth * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = np.full(2, (ARCFACE_SIZE - 1) / 2)
    return np.column_stack([rotation, centre - rotation @ centre + shift])


def _inverse(matrix: np.ndarray) -> np.ndarray:
    back = np.linalg.inv(matrix[:, :2])
    return np.column_stack([back, -back @ matrix[:, 2]])
