"""Head pose from networks that return a rotation matrix: the convention of 6DRepNet360, and conversion to `Pose`.

The network was trained on 300W-LP, whose angles belong to a head turned by X(-pitch) Y(-yaw) Z(-roll), where x points
to the right of the image, y up, z to the camera, and X, Y, Z turn counter-clockwise about them. Its own target is
built as Z(roll) Y(yaw) X(pitch): the transpose, whose rows are the directions of the head's axes in the image. The axes
that its authors draw into images agree: the nose goes to x = -sin yaw, y = cos yaw sin pitch. Published angles are

* yaw > 0 for a nose to image-left, the opposite of `synfiqa.schemas.recipe.Pose`,
* pitch > 0 for a nose up and roll > 0 for a head turned clockwise in the picture, as in `synfiqa.schemas.recipe.Pose`,

and a head is rolled first and nodded last, where `Pose` nods first and rolls last. For one angle alone, both orders are
the same; at 20 degrees of yaw, pitch and roll each, yaw differs by up to 9 degrees.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field
from torch import Tensor

from synfiqa.actors.imaging.preprocess import network_input
from synfiqa.actors.imaging.rotation import euler_angles
from synfiqa.actors.model_store.card_files import arguments_of
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import load_network
from synfiqa.actors.model_store.network import BatchedNetwork
from synfiqa.schemas.model_card import CardPart, ModelCard

Angles = Literal["recipe", "published"]
_SINGULAR = 1e-6


def euler_degrees(rotation: np.ndarray) -> np.ndarray:
    """Return float64 (N, 3) yaw, pitch, roll in degrees with the published signs, of rotations (N, 3, 3).

    Yaw lies in +-90. At +-90, where pitch and roll are one motion, roll is 0.
    """
    matrix = np.asarray(rotation, dtype=np.float64)
    across = np.hypot(matrix[:, 0, 0], matrix[:, 1, 0])
    singular = across < _SINGULAR
    yaw = np.arctan2(-matrix[:, 2, 0], across)
    pitch = np.where(
        singular, np.arctan2(-matrix[:, 1, 2], matrix[:, 1, 1]), np.arctan2(matrix[:, 2, 1], matrix[:, 2, 2])
    )
    roll = np.where(singular, 0.0, np.arctan2(matrix[:, 1, 0], matrix[:, 0, 0]))
    return np.degrees(np.stack([yaw, pitch, roll], axis=1))


def head_angles(rotation: np.ndarray, angles: Angles = "recipe") -> np.ndarray:
    """Return float64 (N, 3) yaw, pitch, roll in degrees with the signs of `Pose`, of the network's matrices (N, 3, 3).

    `recipe` also follows the order of `Pose`, and its yaw exceeds 90 where the back of the head is visible. `published`
    keeps the published angles, of which the released filter and label use |yaw|, and only mirrors yaw.
    """
    if angles == "published":
        return euler_degrees(rotation) * (-1, 1, 1)
    return euler_angles(np.asarray(rotation, dtype=np.float64).transpose(0, 2, 1))


class RotationNetArguments(CardPart):
    """Card arguments: the convention of the angles."""

    angles: Angles = Field("recipe", description="order of `Pose`, or the published order for the faithful profile")


class RotationNetPose:
    """`PoseMeter` on a rotation network, whose input is the central square of the image."""

    def __init__(self, card: ModelCard, path: Path, running: Execution) -> None:
        self.card = card
        self._angles = arguments_of(card, RotationNetArguments).angles
        self._network = BatchedNetwork(load_network(card, path), running)

    def pose(self, images: Sequence[np.ndarray], landmarks: np.ndarray | None = None) -> np.ndarray:
        """Return float64 (N, 3) yaw, pitch, roll in degrees of uint8 RGB images of any sizes; needs no landmarks."""
        squares = [_central_square(image) for image in images]
        by_side: dict[int, list[int]] = defaultdict(list)
        for index, square in enumerate(squares):
            by_side[len(square)].append(index)
        found = np.empty((len(images), 3))
        for indices in by_side.values():
            rotation = self._network(np.stack([squares[index] for index in indices]), self._input)
            found[indices] = head_angles(rotation, self._angles)
        return found

    def _input(self, images: np.ndarray) -> Tensor:
        return network_input(images, self.card, self._network.running.device)


def _central_square(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]
