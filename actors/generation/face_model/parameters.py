"""Parameters of a face model: those of a person, and those of one image of that person."""

from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

_SHAPES: dict[str, tuple[int, ...]] = {"pose": (6,), "camera": (3,), "light": (9, 3), "tform": (3, 3)}
"""Shapes of one row; of other fields only the number of axes is fixed (1)."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Conditions of N images of a face, float32 tensors of N rows; axes and units are those of
    `synfiqa.actors.generation.face_model.camera`."""

    expression: Tensor
    """(N, E) coefficients of the face model."""
    pose: Tensor
    """(N, 6) axis-angle in radians of the head (3) and of the jaw (3)."""
    camera: Tensor
    """(N, 3) scale, tx, ty of the weak perspective."""
    light: Tensor
    """(N, 9, 3) spherical harmonics per R, G, B (`synfiqa.actors.generation.face_model.sh_light`)."""
    tform: Tensor
    """(N, 3, 3) from the 224-pixel crop to the 512-pixel frame, for row vectors [x, y, 1] @ tform."""

    def __post_init__(self) -> None:
        """Raise ValueError for tensors of other types, shapes or numbers of rows."""
        for name, value in self._tensors().items():
            row = _SHAPES.get(name)
            fits = value.ndim == 2 if row is None else value.shape[1:] == row
            if value.dtype != torch.float32 or not fits or len(value) != len(self.pose):
                wanted = ", ".join(map(str, ("K",) if row is None else row))
                raise ValueError(
                    f"{name} must be float32 ({len(self.pose)}, {wanted}), not {value.dtype} {tuple(value.shape)}"
                )

    def __len__(self) -> int:
        return len(self.pose)

    def rows(self, index: slice | Tensor | list[int]) -> Self:
        """Return the chosen rows."""
        return type(self)(**{name: value[index] for name, value in self._tensors().items()})

    def to(self, device: torch.device | str) -> Self:
        """Return the same numbers on a device."""
        return type(self)(**{name: value.to(device) for name, value in self._tensors().items()})

    def finite(self) -> Tensor:
        """Return bool (N,): whether every number of a row is finite."""
        return torch.stack([value.isfinite().flatten(1).all(1) for value in self._tensors().values()]).all(0)

    def _tensors(self) -> dict[str, Tensor]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, kw_only=True)
class FaceParameters(Conditions):
    """Parameters of N faces: the person (shape, texture) and the conditions of the image."""

    shape: Tensor
    """(N, S) coefficients of the face model."""
    texture: Tensor
    """(N, T) coefficients of the face model."""

    def replaced_by(self, conditions: Conditions) -> "FaceParameters":
        """Return the same people under other conditions: row by row, or one person under all of them."""
        count = len(conditions)
        if len(self) not in (1, count):
            raise ValueError(f"{len(self)} faces cannot be shown under {count} conditions: give one face or {count}")
        return FaceParameters(
            shape=self.shape.expand(count, -1),
            texture=self.texture.expand(count, -1),
            **{field.name: getattr(conditions, field.name) for field in fields(Conditions)},
        )
