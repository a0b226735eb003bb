"""The procedural head as a face model, which needs no licensed files.

Its shapes form no linear space: `shape` are the identity's shape coefficients, from which a head is built, and
`texture` are all parameters of its painted skin. Ears and the hair's shell are left out, as FLAME has none.
"""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from synfiqa.actors.face3d.paint.canvas import to_linear
from synfiqa.actors.face3d.render.texture import paint_texture
from synfiqa.actors.face3d.shape.expression import UNITS, expression_basis
from synfiqa.actors.face3d.shape.head import COLUMNS, ROWS, attachment, measure, neutral_grid
from synfiqa.actors.face3d.shape.identity import APPEARANCE_NAMES, HAIR_COLOURS, HAIR_STYLES, SHAPE_NAMES, Identity
from synfiqa.actors.face3d.shape.mesh import quad_faces
from synfiqa.actors.face3d.wear.hair import COLOURS
from synfiqa.actors.generation.face_model.camera import rotations
from synfiqa.actors.generation.face_model.protocol import TEXTURE_SIDE, Sizes
from synfiqa.actors.model_store.execution import Execution
from synfiqa.schemas.model_card import ModelCard

JAW_OPEN = 0.35
"""Jaw angle in radians that opens the mouth like the full expression unit."""

_METRES = 0.1  # of a head unit
_LIFT = 0.03  # metres of the eyes above the origin, as in FLAME
_PIVOT = (0.0, -0.75, -0.2)  # centre of the skull's rotation on the neck, head units
_BEARDS = ("none", "stubble", "moustache", "goatee", "full")
_NUMBERS = ("sex", "age", "skin_tone", "makeup")
_CHOICES = (("hair_style", HAIR_STYLES), ("hair_colour", HAIR_COLOURS), ("beard", _BEARDS))
_WORDS, _WORD = 3, 21  # number and bits of the words of the seed, which float32 holds exactly
_SHAPES, _LOOKS = len(SHAPE_NAMES), len(APPEARANCE_NAMES)
_CACHED = 8


class ProceduralFaceModel:
    """`FaceModel` on the procedural head; the expression is `face3d.shape.expression.UNITS`, each 0 to 1.

    The jaw's angle about x adds to the first unit, which opens the mouth; its other angles do nothing.
    """

    sizes = Sizes(_SHAPES, _SHAPES + _LOOKS + len(_NUMBERS) + len(_CHOICES) + _WORDS, len(UNITS))

    def __init__(self, device: torch.device | str = "cpu") -> None:
        texels = quad_faces(ROWS, COLUMNS).reshape(-1, 3)
        # The first and the last column are one edge of the surface but two of the texture.
        seamless = np.where(texels % COLUMNS == COLUMNS - 1, texels - (COLUMNS - 1), texels)
        v, u = np.meshgrid(np.linspace(1, 0, ROWS), np.linspace(0, 1, COLUMNS), indexing="ij")
        # The outermost vertices lie on the centres of the outermost texels.
        inset = (np.stack([u, v], -1).reshape(-1, 2) - 0.5) * (1 - 1 / TEXTURE_SIDE) + 0.5
        self.faces = torch.from_numpy(seamless).to(device)
        self.uv = torch.from_numpy(inset.astype(np.float32)).to(device)
        self.uv_faces = torch.from_numpy(texels).to(device)
        self._pivot = torch.tensor(_PIVOT, device=device)
        self._follow = torch.from_numpy(np.repeat(attachment(), COLUMNS, 0).astype(np.float32)).to(device)
        self._heads: OrderedDict[bytes, Tensor] = OrderedDict()
        self._albedos: OrderedDict[bytes, Tensor] = OrderedDict()

    def geometry(self, shape: Tensor, expression: Tensor, pose: Tensor) -> Tensor:
        """Return vertices (N, V, 3): the head of each shape, its expression, and its turn on the neck."""
        heads = torch.stack([self._head(row) for row in shape])
        strength = torch.cat([expression[:, :1] + pose[:, 3:4] / JAW_OPEN, expression[:, 1:]], dim=1).clamp(0, 1)
        grid = heads[:, 0] + (strength[:, :, None, None] * heads[:, 1:]).sum(1)
        turned = (rotations(pose[:, :3])[:, None] @ (grid - self._pivot)[..., None])[..., 0] + self._pivot
        posed = grid + self._follow * (turned - grid)
        return posed * _METRES + posed.new_tensor([0.0, _LIFT, 0.0])

    def albedo(self, texture: Tensor) -> Tensor:
        """Return display colours RGB (N, 3, 256, 256) in 0..1: skin with brows, beard and scalp hair, eyes open."""
        return torch.stack([self._albedo(row) for row in texture])

    def _head(self, shape: Tensor) -> Tensor:
        """Return (1 + units, V, 3): the neutral head and the displacement of every unit."""

        def build() -> np.ndarray:
            person = Identity(0, shape.cpu().numpy(), np.zeros(_LOOKS, np.float32), {})
            grid = neutral_grid(person)
            return np.concatenate([grid[None], expression_basis(grid, measure(person))]).reshape(-1, ROWS * COLUMNS, 3)

        return _cached(self._heads, shape, build, self.faces.device)

    def _albedo(self, texture: Tensor) -> Tensor:
        def build() -> np.ndarray:
            person = identity_of(texture)
            painted = paint_texture(person, neutral_grid(person), measure(person))
            hair = to_linear(np.array(COLOURS[str(person.attributes["hair_colour"])], np.float32))[:, None, None]
            facial = 0.75 * hair * (0.55 + 0.45 * painted[9])
            skin = painted[:3] + painted[7] * (facial - painted[:3])
            skin = skin + painted[8] * (hair * painted[9] - skin)
            display = torch.from_numpy(skin.clip(0, 1) ** np.float32(1 / 2.2))[None]
            side = (TEXTURE_SIDE, TEXTURE_SIDE)
            return functional.interpolate(display, side, mode="bilinear", align_corners=True)[0].numpy()

        return _cached(self._albedos, texture, build, self.faces.device)


def code_of(identity: Identity) -> tuple[np.ndarray, np.ndarray]:
    """Return the shape (S,) and the texture (T,) of an identity, float32."""
    numbers = [identity.number(name) for name in _NUMBERS]
    choices = [float(options.index(str(identity.attributes[name]))) for name, options in _CHOICES]
    words = [float(identity.seed >> (_WORD * index) & (2**_WORD - 1)) for index in range(_WORDS)]
    texture = np.concatenate([identity.shape, identity.appearance, numbers, choices, words])
    return identity.shape.astype(np.float32), texture.astype(np.float32)


def identity_of(texture: Tensor) -> Identity:
    """Return the identity whose skin a texture (T,) describes, its numbers rounded to float32."""
    values = texture.cpu().numpy()
    shape, appearance, numbers, choices, words = np.split(
        values, np.cumsum([_SHAPES, _LOOKS, len(_NUMBERS), len(_CHOICES)])
    )
    named = {name: float(value) for name, value in zip(_NUMBERS, numbers, strict=True)}
    chosen = {
        name: options[int(np.clip(round(float(value)), 0, len(options) - 1))]
        for (name, options), value in zip(_CHOICES, choices, strict=True)
    }
    seed = sum(int(value) << (_WORD * index) for index, value in enumerate(words))
    return Identity(seed, shape, appearance, {**named, **chosen, "glasses": False})


def procedural(card: ModelCard, path: Path, running: Execution) -> ProceduralFaceModel:
    """Return the procedural `FaceModel`, which needs no files."""
    return ProceduralFaceModel(running.device)


def _cached(
    cache: OrderedDict[bytes, Tensor], key: Tensor, build: Callable[[], np.ndarray], device: torch.device
) -> Tensor:
    """Return the tensor built from a row of coefficients, cached for the last few rows."""
    name = key.cpu().numpy().tobytes()
    if name not in cache:
        cache[name] = torch.from_numpy(np.ascontiguousarray(build(), dtype=np.float32)).to(device)
        while len(cache) > _CACHED:
            cache.popitem(last=False)
    cache.move_to_end(name)
    return cache[name]
