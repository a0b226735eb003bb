"""Where an aligner believes the landmarks to be: turned, shifted and scaled with respect to the truth."""

import numpy as np

from synfiqa.actors.imaging.alignment import ARCFACE_SIZE, similarity_transform, transform_points
from synfiqa.schemas.recipe import Recipe
from synfiqa.schemas.seeds import derive_seed, generator

_SHIFT = 12.0  # pixels of the crop, along either axis, at most at 90 degrees
_GROWTH = 0.3  # of the logarithm of the scale, the same


def believed_landmarks(landmarks: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Return landmarks (5, 2) by which aligning makes the commanded mistake; without one, the very same.

    The crop turns by `recipe.misalignment` degrees, clockwise for > 0, about its centre; a small shift and a change of
    scale, drawn from the seed, grow in proportion, for an aligner that is wrong in one thing is so in all.
    """
    if recipe.misalignment == 0:
        return landmarks
    aligned = similarity_transform(landmarks[None])
    mistake = _mistake(recipe)
    # Aligning these is the mistake after the right alignment, because similarities that fit best form a group.
    wrong = transform_points(transform_points(landmarks[None], aligned), _inverse(mistake)[None])
    return np.asarray(transform_points(wrong, _inverse(aligned[0])[None])[0])


def _mistake(recipe: Recipe) -> np.ndarray:
    """Return the affine map (2, 3) that takes the right crop to the wrong one."""
    rng = generator(derive_seed(recipe.seed, "misalignment"))
    share = abs(recipe.misalignment) / 90
    shift, growth = share * rng.uniform(-_SHIFT, _SHIFT, 2), np.exp(share * rng.uniform(-_GROWTH, _GROWTH))
    turn = np.radians(recipe.misalignment)
    # y runs down, so that this turns clockwise.
    rotation = growth * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = np.full(2, (ARCFACE_SIZE - 1) / 2)
    return np.column_stack([rotation, centre - rotation @ centre + shift])


def _inverse(matrix: np.ndarray) -> np.ndarray:
    back = np.linalg.inv(matrix[:, :2])
    return np.column_stack([back, -back @ matrix[:, 2]])
