"""Checks of what a quality scorer states and returns."""

from collections.abc import Sequence

import numpy as np

from synfiqa.actors.roles import CalibratedScorer, PortraitScorer, QualityScorer, takes_portraits
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard


class GuardedScorer:
    """A scorer under its name in a config: scores are finite float64 (N,), and higher is better.

    With `allow_nan` scores may be NaN or infinite, for callers that handle each of them.
    """

    def __init__(self, name: str, scorer: QualityScorer, *, allow_nan: bool = False) -> None:
        """Take the scorer; UserError for a card without direction."""
        if scorer.card.higher_is_better is None:
            raise UserError(
                f"scorer '{name}': its card does not state higher_is_better; set it to true or false, since an "
                "evaluation discards the lowest quality first"
            )
        self.name = name
        self.card: ModelCard = scorer.card.model_copy(update={"higher_is_better": True})
        self._scorer = scorer
        self._allow_nan = allow_nan

    def allowing_nan(self) -> "GuardedScorer":
        """Return the scorer so that NaN and infinity pass."""
        return GuardedScorer(self.name, self._scorer, allow_nan=True)

    def calibrate(self, images: np.ndarray) -> None:
        """Let a scorer that can be calibrated adapt to unlabelled images; others stay as they are."""
        if isinstance(self._scorer, CalibratedScorer):
            self._scorer.calibrate(images)

    def score(self, images: np.ndarray) -> np.ndarray:
        """Return float64 qualities (N,) of uint8 RGB (N, 112, 112, 3), negated where lower is better on its own card.

        UserError for scores of another shape or type, and for NaN and infinity unless they are allowed.
        """
        return self._checked(self._scorer.score(images), len(images))

    @property
    def calibrates(self) -> bool:
        """Whether the scorer adapts to unlabelled images."""
        return isinstance(self._scorer, CalibratedScorer)

    @property
    def takes_portraits(self) -> bool:
        """Whether the scorer looks at portraits, cut from photographs, and refuses aligned crops."""
        return takes_portraits(self._scorer)

    def score_faces(self, photographs: Sequence[np.ndarray], landmarks: Sequence[np.ndarray]) -> np.ndarray:
        """Return float64 qualities (N,) of faces with five landmarks (5, 2) in uint8 RGB photographs (H, W, 3).

        For scorers that take portraits; UserError as `score`.
        """
        assert isinstance(self._scorer, PortraitScorer)
        return self._checked(self._scorer.score_faces(photographs, landmarks), len(photographs))

    def score_portraits(self, images: Sequence[np.ndarray], landmarks: Sequence[np.ndarray]) -> np.ndarray:
        """Return float64 qualities (N,) of uint8 RGB portraits (H, W, 3) as they are, with 68 landmarks (68, 2) each.

        For scorers that take portraits; UserError as `score`.
        """
        assert isinstance(self._scorer, PortraitScorer)
        return self._checked(self._scorer.score_portraits(images, landmarks), len(images))

    def _checked(self, found: np.ndarray, count: int) -> np.ndarray:
        scores = np.asarray(found)
        if scores.shape != (count,) or scores.dtype.kind not in "fiu":
            raise UserError(
                f"scorer '{self.name}' returned {scores.dtype} {scores.shape} for {count} images: correct it to "
                "return one number an image, or leave it out"
            )
        scores = scores.astype(np.float64)
        if not self._allow_nan and (bad := int(np.count_nonzero(~np.isfinite(scores)))):
            raise UserError(
                f"scorer '{self.name}' returned NaN or infinity for {bad} of {count} images: correct its weights "
                "or input, or leave it out"
            )
        return scores if self._scorer.card.higher_is_better else -scores
