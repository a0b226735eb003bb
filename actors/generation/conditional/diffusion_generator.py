"""Samples of an identity by Stable Diffusion under control of a 3-D face: encode, edit, draw, paint, detect, retry.

A picture depends on its recipe, the number of its try and the identity only, never on other samples of its batch.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from PIL import Image
from torch import Tensor

from synfiqa.actors.face_analysis.face_parser import FaceParser
from synfiqa.actors.generation.conditional.template_bank import TemplateBank, conditions_of
from synfiqa.actors.generation.controlled_diffusion.sampler import ControlledDiffusion
from synfiqa.actors.generation.face_model.camera import FRAME
from synfiqa.actors.generation.face_model.control_map import ControlMaps
from synfiqa.actors.generation.face_model.parameters import FaceParameters
from synfiqa.actors.generation.face_model.protocol import FaceEncoder, FaceModel
from synfiqa.actors.generation.face_model.renderer import renderer_named
from synfiqa.actors.imaging.alignment import align, similarity_transform
from synfiqa.actors.imaging.released_crop import padded_square, raised_box
from synfiqa.actors.players import Players
from synfiqa.actors.recognition.network_embedder import Crop, conditioning_crop
from synfiqa.actors.roles import Detection, Detector, Embedder, IdentitySource, Portraits, Rejection
from synfiqa.schemas.config.generate import DiffusionSection
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import FACE_EMBEDDING
from synfiqa.schemas.recipe import Profile, Recipe
from synfiqa.schemas.seeds import derive_seed

RELEASED_SIDE = 224
"""Side of the copy in which the released pipeline looks for the face, and from which it crops."""


class ControlEmbedder(Embedder, Protocol):
    """An embedder that also takes unaligned crops (N, side, side, 3), with the crop of its training."""

    @property
    def crop(self) -> Crop:
        """Return the crop that its network was trained on."""
        ...

    @property
    def side(self) -> int:
        """Return the side of its input in pixels."""
        ...


@dataclass(frozen=True)
class Parts:
    """The models of the chain, loaded."""

    face_model: FaceModel
    face_encoder: FaceEncoder
    face_parser: FaceParser | None
    diffusion: ControlledDiffusion
    embedder: ControlEmbedder
    detector: Detector


@dataclass(frozen=True)
class _Person:
    """The encoded identity: 3-D face (one row), image tokens (1, T, W), face embedding (1, 512)."""

    parameters: FaceParameters
    tokens: np.ndarray
    embedding: np.ndarray

    def finite(self) -> bool:
        """Whether every number is finite."""
        arrays = (self.tokens, self.embedding)
        return bool(self.parameters.finite().all()) and all(np.isfinite(array).all() for array in arrays)


class DiffusionConditionalGenerator:
    """`ConditionalGenerator` by diffusion; recipes name their template and their prompt.

    The occluded share of a face is unknown and returned as 0.
    """

    def __init__(self, parts: Parts, settings: DiffusionSection, profile: Profile, bank: TemplateBank) -> None:
        self._parts, self._settings, self._profile = parts, settings, profile
        side, micro_batch = parts.diffusion.card.input_size, parts.diffusion.running.micro_batch
        self._maps = ControlMaps(parts.face_model, renderer_named(settings.renderer), side, micro_batch)
        kinds = (("reference", bank.references), ("degraded", bank.degradations))
        self._templates = {(kind, template.token): template for kind, found in kinds for template in found}
        self._known: tuple[bytes, _Person | None] | None = None

    def generate(self, source: IdentitySource, recipes: Sequence[Recipe]) -> Portraits:
        """Return one clean portrait per recipe, in order; a sample unfit after all tries has a Rejection."""
        side = RELEASED_SIDE if self._profile == "faithful" else self._parts.diffusion.card.input_size
        images = np.zeros((len(recipes), side, side, 3), np.uint8)
        landmarks, boxes = np.zeros((len(recipes), 5, 2)), np.zeros((len(recipes), 4))
        person = self._person(source.image)
        if person is None:
            lost = Rejection("not_finite", "the encoding of the identity's portrait is not finite", None, 1)
            return Portraits(images, landmarks, np.zeros(len(recipes)), [lost] * len(recipes), boxes)
        shown = conditions_of([self._templates[recipe.kind, recipe.template] for recipe in recipes])
        control = self._maps.draw(person.parameters.replaced_by(shown))
        aims = aims_of(control)
        unfit: list[Rejection | None] = [None] * len(recipes)
        missing = list(range(len(recipes)))
        for attempt in range(self._settings.tries):
            pictures, finite = self._paint(person, control, recipes, missing, attempt)
            faces = self._faces(pictures, finite, aims[missing])
            likeness = self._likeness(person, pictures, faces)
            for row, index in enumerate(missing):
                face = faces[row]
                unfit[index] = self._verdict(bool(finite[row]), face, likeness[row], attempt + 1)
                if face is not None and unfit[index] is None:
                    images[index], landmarks[index], boxes[index] = pictures[row], face.landmarks, face.box
            missing = [index for index in missing if unfit[index]]
            if not missing:
                break
        return Portraits(images, landmarks, np.zeros(len(recipes)), unfit, boxes)

    def _person(self, image: np.ndarray) -> _Person | None:
        """Encode an identity; its micro-batches follow each other, so that the last one is remembered."""
        key = hashlib.sha256(f"{image.shape}".encode() + np.ascontiguousarray(image).tobytes()).digest()
        if self._known is None or self._known[0] != key:
            self._known = key, self._encoded(image)
        return self._known[1]

    def _encoded(self, image: np.ndarray) -> _Person | None:
        """Return what conditions all pictures of an identity; None where a number of it is not finite."""
        parts, sizes = self._parts, self._parts.face_model.sizes
        face = next((found for found in parts.detector.faces([image])[0] if alignable(found)), None)
        height, width = image.shape[:2]
        if self._profile == "faithful":
            seen, box = self._released_face(image)
        else:
            seen, box = image, face.box if face else np.array([0.0, 0.0, width - 1.0, height - 1.0])
        parameters = parts.face_encoder.encode([seen], box[None])
        if (parameters.shape.shape[1], parameters.texture.shape[1]) != (sizes.shape, sizes.texture):
            raise UserError(
                f"models.face_encoder measures {parameters.shape.shape[1]} shape and {parameters.texture.shape[1]} "
                f"texture numbers but models.face_model takes {sizes.shape} and {sizes.texture}: name a pair that fits"
            )
        # A copy, for decoded pictures cannot be written to and torch warns of that.
        looked = image[None].copy()
        looked = parts.face_parser.white_out(looked) if parts.face_parser else looked
        embedding = parts.embedder.embed(self._crop(image, face)[None])
        if embedding.shape[1] != FACE_EMBEDDING:
            raise UserError(
                f"{parts.embedder.name} embeds faces in {embedding.shape[1]} numbers but the image model takes "
                f"{FACE_EMBEDDING}: name another embedder in models.control_embedder"
            )
        person = _Person(parameters, parts.diffusion.image_tokens(looked), embedding)
        # A portrait that cannot be encoded would spoil every picture of every try.
        return person if person.finite() else None

    def _released_face(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the portrait at 512 x 512 pixels, and the square (4,) in it that DECA's crop is enlarged from.

        As released the face is sought in this copy, its box raised to the forehead, rounded and padded to a square.
        """
        copy = np.asarray(Image.fromarray(image).resize((FRAME, FRAME), Image.Resampling.BICUBIC))
        faces = [face for face in self._parts.detector.faces([copy])[0] if alignable(face)]
        if not faces:
            return copy, np.array([0.0, 0.0, FRAME - 1.0, FRAME - 1.0])
        face = max(faces, key=lambda face: face.probability)
        x0, y0, side = padded_square(raised_box(face.box, face.landmarks), copy.shape)
        return copy, np.array([x0, y0, x0 + side, y0 + side], np.float64)

    def _paint(
        self, person: _Person, control: Tensor, recipes: Sequence[Recipe], rows: list[int], attempt: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the pictures of these rows as the profile looks at them, and whether their numbers are finite."""
        count = len(rows)
        pictures, finite = self._parts.diffusion.generate(
            control[rows],
            np.repeat(person.tokens, count, 0),
            np.repeat(person.embedding, count, 0),
            [recipes[row].prompt for row in rows],
            [derive_seed(recipes[row].seed, "diffusion", attempt) for row in rows],
        )
        if self._profile == "faithful":
            side = (RELEASED_SIDE, RELEASED_SIDE)
            small = [np.asarray(Image.fromarray(one).resize(side, Image.Resampling.BICUBIC)) for one in pictures]
            pictures = np.stack(small)
        return pictures, finite

    def _faces(self, pictures: np.ndarray, finite: np.ndarray, aims: np.ndarray) -> list[Detection | None]:
        """Choose a face of each picture: the one nearest the 3-D face, or as released the one of the highest score."""
        fine = np.flatnonzero(finite)
        chosen: list[Detection | None] = [None] * len(pictures)
        for row, found in zip(fine, self._parts.detector.faces(list(pictures[fine])), strict=True):
            faces = [face for face in found if alignable(face)]
            if not faces:
                continue
            aim = aims[row] * pictures.shape[1]
            if self._profile == "faithful" or not np.isfinite(aim).all():
                chosen[row] = max(faces, key=lambda face: face.probability)
            else:
                chosen[row] = min(faces, key=lambda face: float(np.hypot(*(_centre(face) - aim))))
        return chosen

    def _likeness(self, person: _Person, pictures: np.ndarray, faces: list[Detection | None]) -> np.ndarray:
        """Return the cosine (N,) of each chosen face to the identity; 1 where it is not measured."""
        likeness = np.ones(len(faces))
        rows = [row for row, face in enumerate(faces) if face is not None]
        if rows and self._settings.min_identity > -1:
            crops = np.stack([self._crop(pictures[row], faces[row]) for row in rows])
            likeness[rows] = self._parts.embedder.embed(crops) @ person.embedding[0]
        return likeness

    def _verdict(self, finite: bool, face: Detection | None, likeness: float, attempts: int) -> Rejection | None:
        if not finite:
            return Rejection("not_finite", f"the numbers of picture {attempts} are not finite", None, attempts)
        if face is None:
            return Rejection("no_face", f"no face was found in picture {attempts}", None, attempts)
        # A likeness that is no number is none.
        if not likeness >= self._settings.min_identity:
            message = f"picture {attempts} shows another person"
            return Rejection("other_person", message, float(likeness) if np.isfinite(likeness) else None, attempts)
        return None

    def _crop(self, image: np.ndarray, face: Detection | None) -> np.ndarray:
        """Return the face as the embedder was trained on it; as released it is always the box (S, S, 3)."""
        embedder = self._parts.embedder
        if face is None or self._profile == "faithful" or embedder.crop == "box":
            return conditioning_crop(image, face, embedder.side)
        aligned: np.ndarray = align([image], face.landmarks[None], antialias=True)[0]
        return aligned


def aims_of(control: Tensor) -> np.ndarray:
    """Return the centres (N, 2) x, y of what control maps (N, 9, S, S) draw, as shares of the side; NaN for nothing."""
    drawn = (control[:, :3] != 0).any(1).cpu().numpy()
    side = drawn.shape[1]
    aims = np.full((len(drawn), 2), np.nan)
    for aim, mask in zip(aims, drawn, strict=True):
        if mask.any():
            rows, columns = np.nonzero(mask)
            aim[:] = (columns.min() + columns.max() + 1) / 2 / side, (rows.min() + rows.max() + 1) / 2 / side
    return aims


def alignable(face: Detection) -> bool:
    """Whether the landmarks lie apart as those of a face do, and the box is one: it can be cropped and aligned."""
    if not (np.isfinite(face.landmarks).all() and np.isfinite(face.box).all()):
        return False
    eyes, mouth = face.landmarks[:2].mean(axis=0), face.landmarks[3:].mean(axis=0)
    if not np.hypot(*(mouth - eyes)) >= 1:
        return False
    try:
        similarity_transform(face.landmarks[None])
    except ValueError:
        return False
    return True


_made: dict[Any, DiffusionConditionalGenerator] = {}


def generator_of(config: RunConfig, players: Players, bank: TemplateBank) -> DiffusionConditionalGenerator:
    """Return the generator of a run, one instance per process, its models shared with all stages."""
    chosen = players.models.conditional
    assert chosen is not None, "the conditional generator is diffusion"
    key = (
        *(model.key for model in (*chosen.all_models(), players.models.detector)),
        *(players.models.precision, players.models.micro_batch, config.diffusion, config.generate.profile, bank),
    )
    if key not in _made:
        parts = Parts(
            players.of(chosen.face_model),
            players.of(chosen.face_encoder),
            players.of(chosen.face_parser) if chosen.face_parser else None,
            players.of(chosen.diffusion),
            players.of(chosen.embedder),
            players.detector,
        )
        _made[key] = DiffusionConditionalGenerator(parts, config.diffusion, config.generate.profile, bank)
    return _made[key]


def _centre(face: Detection) -> np.ndarray:
    centre: np.ndarray = (face.box[:2] + face.box[2:] + 1) / 2
    return centre
