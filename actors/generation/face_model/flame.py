"""FLAME: a head of blended shapes, posed by five joints, with a texture space (Li 2017)."""

from pathlib import Path

import torch
from torch import Tensor

from synfiqa.actors.generation.face_model.camera import rotations
from synfiqa.actors.generation.face_model.flame_files import (
    EXPRESSIONS,
    PARENTS,
    SHAPES,
    TEXTURES,
    FlameArrays,
    read_flame,
)
from synfiqa.actors.generation.face_model.protocol import Sizes
from synfiqa.actors.model_store.execution import Execution
from synfiqa.schemas.model_card import ModelCard

_JAW = 2
"""Index of the jaw among the joints; neck and eyes stay at rest."""


class Flame:
    """`FaceModel` of 5,023 vertices and 9,976 faces, always in float32."""

    sizes = Sizes(SHAPES, TEXTURES, EXPRESSIONS)

    def __init__(self, arrays: FlameArrays, device: torch.device | str = "cpu") -> None:
        def put(values: object) -> Tensor:
            return torch.as_tensor(values).to(device)

        self.faces, self.uv, self.uv_faces = put(arrays.faces), put(arrays.uv), put(arrays.uv_faces)
        self._template = put(arrays.template)
        bases = torch.cat([torch.as_tensor(arrays.shape_basis), torch.as_tensor(arrays.expression_basis)], dim=-1)
        # One row per coefficient, for the product with (N, coefficients).
        self._blend = put(bases.flatten(0, 1).T.contiguous())
        self._pose_blend = put(torch.as_tensor(arrays.pose_basis).flatten(0, 1).T.contiguous())
        self._regressor = put(arrays.joint_regressor)
        self._weights = put(arrays.weights)
        self._mean = put(arrays.texture_mean)
        self._directions = put(arrays.texture_basis)

    def geometry(self, shape: Tensor, expression: Tensor, pose: Tensor) -> Tensor:
        """Return vertices (N, 5023, 3): blended, corrected for the pose, then turned about the joints."""
        count = len(pose)
        blended = torch.cat([shape, expression], dim=1) @ self._blend
        shaped = self._template + blended.view(count, -1, 3)
        joints = torch.matmul(self._regressor, shaped)
        axis_angle = pose.new_zeros((count, len(PARENTS), 3))
        axis_angle[:, 0], axis_angle[:, _JAW] = pose[:, :3], pose[:, 3:]
        turns = rotations(axis_angle)
        bent = (turns[:, 1:] - torch.eye(3, device=pose.device)).flatten(1)
        shaped = shaped + (bent @ self._pose_blend).view(count, -1, 3)
        turned, moved = _chained(turns, joints)
        # Linear blend skinning: every vertex moves by the weighted mean of the joints' motions.
        motion = torch.cat([turned.flatten(2), moved], dim=2)
        motion = torch.matmul(self._weights, motion)
        return (motion[..., :9].unflatten(2, (3, 3)) @ shaped[..., None])[..., 0] + motion[..., 9:]

    def albedo(self, texture: Tensor) -> Tensor:
        """Return RGB (N, 3, 256, 256) of the texture space: mostly within 0..1, never clipped."""
        found = self._mean + torch.einsum("hwct,nt->nhwc", self._directions, texture)
        return (found / 255).flip(-1).permute(0, 3, 1, 2).contiguous()


def flame(card: ModelCard, path: Path, running: Execution) -> Flame:
    """Return the `FaceModel` of a folder of FLAME files; UserError when they are missing or malformed."""
    return Flame(read_flame(path), running.device)


def _chained(turns: Tensor, joints: Tensor) -> tuple[Tensor, Tensor]:
    """Return rotations (N, 5, 3, 3) and translations (N, 5, 3) of the joints' motions from rest, parents first."""
    world_turns, world_places = [turns[:, 0]], [joints[:, 0]]
    for joint, parent in enumerate(PARENTS[1:], start=1):
        world_turns.append(world_turns[parent] @ turns[:, joint])
        reach = joints[:, joint] - joints[:, parent]
        world_places.append(world_places[parent] + (world_turns[parent] @ reach[..., None])[..., 0])
    turned, placed = torch.stack(world_turns, 1), torch.stack(world_places, 1)
    return turned, placed - (turned @ joints[..., None])[..., 0]
