"""The protocol of each backend role. Images are uint8 RGB (N, H, W, 3); landmarks are (5, 2) x, y pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from synfiqa.schemas.model_card import ModelCard
from synfiqa.schemas.recipe import Recipe


@dataclass(frozen=True)
class Candidate:
    """A pseudo-identity portrait and what its generator commanded (JSON-serialisable attributes)."""

    image: np.ndarray
    attributes: dict[str, Any]


class IdentityGenerator(Protocol):
    """Makes pseudo-identity portraits; each depends on its seed alone, not on the batch."""

    def generate(self, seeds: Sequence[int]) -> list[Candidate]:
        """Return one candidate per seed, in order."""
        ...


@dataclass(frozen=True)
class IdentitySource:
    """An accepted identity, input of the conditional generator."""

    identity: int
    seed: int
    attributes: dict[str, Any]
    image: np.ndarray


@dataclass(frozen=True)
class Rejection:
    """Why a sample was rejected: unfit in all of `attempts` tries, each from a new seed.

    `reason` is counted (no_face, other_person, not_finite), `message` describes it, `value` is the last measurement.
    """

    reason: str
    message: str
    value: float | None
    attempts: int


@dataclass(frozen=True)
class Portraits:
    """Clean portraits (N, S, S, 3) with landmarks (N, 5, 2) and the occluded share of the face (N,), 0..1.

    `unfit[i]` is the reason why picture i was rejected; its pixels and landmarks are then undefined. `boxes`
    (N, 4) x0, y0, x1, y1 are those of the detector, where one ran. `occluded_regions` (N, 8) are the shares of
    `synfiqa.schemas.rows.REGIONS`, NaN where a region faces away; None where they are unknown. `face_points`
    (N, 68, 2) are the points of the iBUG mark-up in pixels (`synfiqa.actors.face3d.shape.face_points`), hidden ones
    too; None where they are unknown.
    """

    images: np.ndarray
    landmarks: np.ndarray
    occluded_fraction: np.ndarray
    unfit: Sequence[Rejection | None] = ()
    boxes: np.ndarray | None = None
    occluded_regions: np.ndarray | None = None
    face_points: np.ndarray | None = None

    def fit(self, index: int) -> bool:
        """Whether picture `index` may be used."""
        return not self.unfit or self.unfit[index] is None

    def box(self, index: int) -> np.ndarray | None:
        """Return the detector's box (4,) of picture `index`, if there is one."""
        return None if self.boxes is None else self.boxes[index]


class ConditionalGenerator(Protocol):
    """Shows one identity under each recipe's pose, expression, light, occluder and background."""

    def generate(self, source: IdentitySource, recipes: Sequence[Recipe]) -> Portraits:
        """Return one clean portrait per recipe, in order."""
        ...


@dataclass(frozen=True)
class Detection:
    """The face found in one image: probability 0..1, box (x0, y0, x1, y1) and landmarks (5, 2) in pixels."""

    probability: float
    box: np.ndarray
    landmarks: np.ndarray


class Detector(Protocol):
    """Finds the most prominent face of each image."""

    def detect(self, images: Sequence[np.ndarray]) -> list[Detection | None]:
        """Return the face of each image, or None; images may differ in size."""
        ...

    def faces(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
        """Return every face of each image, the most prominent first."""
        ...


@runtime_checkable
class SizedDetector(Protocol):
    """A detector that can be limited to the sizes that faces have, where these are known."""

    def faces_of_size(self, images: Sequence[np.ndarray], least: float, most: float) -> list[list[Detection]]:
        """Return the faces of about `least` to `most` pixels of each image, the most prominent first."""
        ...


class Embedder(Protocol):
    """Maps aligned 112 x 112 faces to unit vectors whose cosine measures identity."""

    name: str

    def embed(self, images: np.ndarray) -> np.ndarray:
        """Return float32 (N, D) unit vectors of uint8 RGB (N, 112, 112, 3)."""
        ...


class ImageText(Protocol):
    """Measures how well an image fits a caption."""

    name: str

    def similarity(self, images: np.ndarray, caption: str) -> np.ndarray:
        """Return float32 (N,) cosines in [-1, 1] for uint8 RGB (N, 112, 112, 3)."""
        ...


class PoseMeter(Protocol):
    """Measures head pose in degrees; signs and order of rotation are those of `synfiqa.schemas.recipe.Pose`."""

    def pose(self, images: Sequence[np.ndarray], landmarks: np.ndarray | None) -> np.ndarray:
        """Return (N, 3) yaw, pitch, roll of uint8 RGB images of any sizes; landmarks (N, 5, 2) in pixels."""
        ...


class GlassesMeter(Protocol):
    """Measures whether faces wear glasses."""

    def score(self, images: Sequence[np.ndarray], landmarks: np.ndarray, aligned: np.ndarray) -> np.ndarray:
        """Return float32 (N,) in 0..1, above 0.5 for probable glasses; `aligned` are the faces at (N, 112, 112, 3)."""
        ...


class ExpressionMeter(Protocol):
    """Measures how far faces are from neutral."""

    def strength(
        self,
        images: Sequence[np.ndarray],
        landmarks: np.ndarray,
        aligned: np.ndarray,
        commanded: Sequence[Mapping[str, Any]],
    ) -> np.ndarray:
        """Return float32 (N,) from 0 (neutral) to 1; `commanded` are the attributes of the generator."""
        ...


class QualityScorer(Protocol):
    """Rates faces: the higher, the better, unless the card states otherwise."""

    @property
    def card(self) -> ModelCard:
        """Return name, input size, channel order, value range, `higher_is_better`, licence and cost in GFLOP."""
        ...

    def score(self, images: np.ndarray) -> np.ndarray:
        """Return finite float64 (N,) scores of uint8 RGB (N, 112, 112, 3), in the direction of the card."""
        ...


@runtime_checkable
class PortraitScorer(Protocol):
    """A quality scorer of portraits, which are cut out of photographs around a face."""

    takes_portraits: bool

    def score_faces(self, photographs: Sequence[np.ndarray], landmarks: Sequence[np.ndarray]) -> np.ndarray:
        """Return qualities (N,) of faces with landmarks (5, 2) in uint8 RGB photographs (H, W, 3)."""
        ...

    def score_portraits(self, images: Sequence[np.ndarray], landmarks: Sequence[np.ndarray]) -> np.ndarray:
        """Return qualities (N,) of uint8 RGB portraits (H, W, 3) as they are, with 68 landmarks (68, 2) each."""
        ...


def takes_portraits(scorer: object) -> bool:
    """Return whether a scorer looks at portraits instead of aligned crops."""
    return bool(getattr(scorer, "takes_portraits", False))


@runtime_checkable
class CalibratedScorer(Protocol):
    """A quality scorer that adapts to unlabelled images before it scores."""

    def calibrate(self, images: np.ndarray) -> None:
        """Adapt to uint8 RGB (N, 112, 112, 3) of the source that will be scored."""
        ...


CODE = {"shape": 100, "texture": 50, "expression": 50, "pose": 6, "camera": 3, "light": 27}
"""Numbers of each kind in the order of the network's output; light runs over harmonics, then R, G, B."""


PARTS = (
    *("background", "skin", "left brow", "right brow", "left eye", "right eye", "glasses", "left ear", "right ear"),
    *("earring", "nose", "mouth", "upper lip", "lower lip", "neck", "necklace", "cloth", "hair", "hat"),
)
"""The classes of CelebAMask-HQ in the order of the published network."""
