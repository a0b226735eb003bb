"""A quality network of portraits with its card: scores crops of a portrait and averages them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from synfiqa.actors.imaging.alignment import ARCFACE_SIZE
from synfiqa.actors.imaging.preprocess import network_input
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import load_network
from synfiqa.actors.model_store.state import require_finite
from synfiqa.actors.nets.fiqa.dsl.dsl_network import DslNetwork
from synfiqa.actors.quality.trained.portraits.portrait_crops import TILED, crops_of
from synfiqa.actors.quality.trained.portraits.portrait_frame import cut_portrait, framed_points
from synfiqa.actors.quality.trained.quality_model import QualityModel
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

BATCH = 32
"""Crops of one call of the network."""


class PortraitModel(QualityModel):
    """Scores portraits, as they are or cut out of photographs; refuses aligned crops, which show no whole head.

    The card's `input_size` is the side of a crop; its argument `portrait_side` that of portraits cut from photographs,
    and `crops` the number of random crops, 0 for tiles.
    """

    network: DslNetwork
    takes_portraits = True

    @property
    def portrait_side(self) -> int:
        """Side in pixels of a portrait cut from a photograph."""
        return int(self.card.arguments.get("portrait_side", self.card.input_size * 4 // 3))

    def score(self, images: np.ndarray, batch: int = BATCH) -> np.ndarray:
        """Return float32 scores (N,) of uint8 RGB portraits (N, H, W, 3), framed as `cut_portrait` frames them.

        UserError for aligned crops of 112 x 112 pixels.
        """
        if images.ndim == 4 and images.shape[1:3] == (ARCFACE_SIZE, ARCFACE_SIZE):
            raise UserError(
                f"{self.card.name} scores portraits, and crops of 112 x 112 show no whole head: score photographs, or "
                "choose a scorer of aligned faces"
            )
        return self.score_portraits(list(images), [framed_points(min(image.shape[:2])) for image in images], batch)

    def score_faces(self, photographs: Sequence[np.ndarray], landmarks: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 scores (N,) of faces with five landmarks (5, 2) in uint8 RGB photographs (H, W, 3)."""
        cut = [cut_portrait(*face, self.portrait_side) for face in zip(photographs, landmarks, strict=True)]
        return self.score_portraits([image for image, _ in cut], [points for _, points in cut])

    @torch.inference_mode()
    def score_portraits(
        self, images: Sequence[np.ndarray], landmarks: Sequence[np.ndarray], batch: int = BATCH
    ) -> np.ndarray:
        """Return float32 scores (N,), the mean over the crops of each portrait, uint8 RGB (H, W, 3) of any sizes.

        `landmarks` are the 68 points (68, 2) of each in its pixels. All crops of a portrait are in one call of the
        network where `batch` is not less. ValueError for a portrait that is smaller than a crop.
        """
        count = int(self.card.arguments.get("crops", TILED))
        found = np.zeros(len(images), np.float32)
        crops: list[np.ndarray] = []
        points: list[np.ndarray] = []
        owner: list[int] = []
        for number, (image, own) in enumerate(zip(images, landmarks, strict=True)):
            some, marks = crops_of(image, own, self.card.input_size, count)
            if crops and len(crops) + len(some) > batch:
                self._add(found, crops, points, owner, batch)
                crops, points, owner = [], [], []
            crops, points, owner = crops + some, points + marks, owner + [number] * len(some)
        if crops:
            self._add(found, crops, points, owner, batch)
        return found

    def _add(
        self, found: np.ndarray, crops: list[np.ndarray], points: list[np.ndarray], owner: list[int], batch: int
    ) -> None:
        """Set the means of the portraits whose crops these are."""
        scores = np.concatenate(
            [
                self._crop_scores(np.stack(crops[first : first + batch]), np.stack(points[first : first + batch]))
                for first in range(0, len(crops), batch)
            ]
        )
        for number in dict.fromkeys(owner):
            found[number] = scores[np.array(owner) == number].mean()

    def _crop_scores(self, crops: np.ndarray, points: np.ndarray) -> np.ndarray:
        inputs: Tensor = network_input(crops, self.card, self.device)
        scores: np.ndarray = self.network(inputs, torch.from_numpy(points).to(self.device)).float().cpu().numpy()
        return scores


def portrait_model(card: ModelCard, path: Path, running: Execution) -> PortraitModel:
    """Load the portrait network of a card."""
    network = load_network(card, path)
    assert isinstance(network, DslNetwork)
    require_finite(network.state_dict(), f"model '{card.name}' ({path.name})")
    return PortraitModel(network, card, running.device)
