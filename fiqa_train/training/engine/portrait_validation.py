"""Validation of DSL-FIQA in training: tiled crops of held-out portraits, their mean against the scores."""

import numpy as np
import torch

from synfiqa.actors.quality.correlation import spearman
from synfiqa.actors.quality.trained.portraits.portrait_crops import crops_of
from synfiqa.fiqa_train.training.dsl.portrait_set import PortraitSet
from synfiqa.fiqa_train.training.dsl.target_scale import TargetScale
from synfiqa.fiqa_train.training.engine.validation import BATCH
from synfiqa.fiqa_train.training.engine.worker_task import HELD_OUT_ROWS
from synfiqa.fiqa_train.training.methods.dsl_fiqa import DslFiqa
from synfiqa.fiqa_train.training.methods.objective import Objective
from synfiqa.schemas.errors import JobFailed


class PortraitValidation:
    """Held-out portraits (at most HELD_OUT_ROWS) with their scores, scaled as those of the training."""

    def __init__(self, portraits: PortraitSet, scale: TargetScale, side: int, device: torch.device) -> None:
        count = min(HELD_OUT_ROWS, len(portraits))
        # Spread over the set, whose order may be that of identities.
        self._rows = np.linspace(0, len(portraits) - 1, count).round().astype(int)
        self._portraits, self._side, self._device = portraits, side, device
        self._target = scale(portraits.scores)[self._rows]

    def measure(self, objective: Objective, where: str) -> tuple[dict[str, float], np.ndarray]:
        """Return SRCC, mean absolute error and PLCC of the network, and its scores; JobFailed for one not finite."""
        assert isinstance(objective, DslFiqa)
        scores = self._scores(objective)
        if broken := int(np.count_nonzero(~np.isfinite(scores))):
            raise JobFailed(
                f"training diverged: {broken} of {len(scores)} validation scores after {where} are not finite; lower "
                "train.learning_rate under another train.name, the last stored state is kept"
            )
        linear = np.corrcoef(scores, self._target)[0, 1] if np.ptp(scores) and np.ptp(self._target) else 0.0
        return {
            "validation_spearman": spearman(scores, self._target),
            "validation_error": float(np.abs(scores - self._target).mean()),
            "validation_pearson": float(linear),
        }, scores

    @torch.inference_mode()
    def _scores(self, objective: DslFiqa) -> np.ndarray:
        objective.eval()
        found = np.zeros(len(self._rows), np.float32)
        crops: list[np.ndarray] = []
        marks: list[np.ndarray] = []
        owner: list[int] = []
        for number, row in enumerate(self._rows):
            item = self._portraits[int(row)]
            some, points = crops_of(item.image, item.landmarks, self._side)
            crops, marks, owner = crops + some, marks + points, owner + [number] * len(some)
            if len(crops) >= BATCH or number + 1 == len(self._rows):
                scores, places = self._crop_scores(objective, crops, marks), np.array(owner)
                for one in dict.fromkeys(owner):
                    found[one] = scores[places == one].mean()
                crops, marks, owner = [], [], []
        return found

    def _crop_scores(self, objective: DslFiqa, crops: list[np.ndarray], marks: list[np.ndarray]) -> np.ndarray:
        pixels = torch.from_numpy(np.stack(crops).transpose(0, 3, 1, 2).astype(np.float32)).to(self._device)
        points = torch.from_numpy(np.stack(marks)).to(self._device)
        scores: np.ndarray = objective.scores(pixels, points).cpu().numpy()
        return scores
