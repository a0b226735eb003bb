"""Validation of a network in training: rank correlation on held-out identities, and measures of test sets."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from synfiqa.actors.nets.quality_net import to_gray
from synfiqa.actors.quality.correlation import spearman
from synfiqa.fiqa_train.training.engine.worker_task import Measure, Scores
from synfiqa.fiqa_train.training.methods.objective import Objective
from synfiqa.fiqa_train.training.score_scale import score_scale
from synfiqa.schemas.errors import JobFailed

BATCH = 64
SCALE_ORIGIN = "degraded samples of validation identities, scored after the best epoch"


class Validation:
    """Held-out faces, uint8 RGB (N, 112, 112, 3), with their targets (N,), and measures by name."""

    def __init__(
        self,
        images: np.ndarray,
        target: np.ndarray,
        measures: Mapping[str, Measure],
        *,
        gray: bool,
        device: torch.device,
    ) -> None:
        self._faces, self._target, self._measures = to_gray(images) if gray else images, target, dict(measures)
        self._gray, self._device = gray, device

    def measure(self, objective: Objective, where: str) -> tuple[dict[str, float], np.ndarray]:
        """Return the metrics of the network, and its scores of the held-out faces.

        JobFailed where a score is not finite; `where` names the step in that sentence.
        """
        scored = self.scorer(objective)
        scores = predict(objective, self._faces, self._device)
        if broken := int(np.count_nonzero(~np.isfinite(scores))):
            raise JobFailed(
                f"training diverged: {broken} of {len(scores)} validation scores after {where} are not finite; lower "
                "train.learning_rate under another train.name, the last stored state is kept"
            )
        metrics = {
            "validation_spearman": spearman(scores, self._target),
            "validation_error": float(np.abs(scores - self._target).mean()),
        }
        areas: list[float] = []
        for name, measure in self._measures.items():
            found = measure(scored)
            metrics |= {f"{name}_{key}": value for key, value in found.items()}
            areas += [value for key, value in found.items() if key == "pauc"]
        if areas:
            metrics["pauc"] = float(np.mean(areas))
        return metrics, scores

    def scorer(self, objective: Objective) -> Scores:
        """Return what scores uint8 RGB faces (N, 112, 112, 3) with the network in evaluation mode."""
        return lambda images: predict(objective, to_gray(images) if self._gray else images, self._device)


@torch.inference_mode()
def predict(objective: Objective, images: np.ndarray, device: torch.device, batch: int = BATCH) -> np.ndarray:
    """Return scores float32 (N,) of uint8 luma (N, 112, 112) or RGB (N, 112, 112, 3)."""
    objective.eval()
    parts = [
        objective.scores(_pixels(images[start : start + batch], device)).cpu().numpy()
        for start in range(0, len(images), batch)
    ]
    return np.concatenate([*parts, np.empty(0, np.float32)])


def _pixels(images: np.ndarray, device: torch.device) -> Tensor:
    pixels = torch.from_numpy(np.ascontiguousarray(images)).to(device).float()
    return pixels if images.ndim == 3 else pixels.permute(0, 3, 1, 2)


def with_best(
    state: dict[str, Any], entry: dict[str, float], network: nn.Module, scores: np.ndarray, best_by: str
) -> dict[str, Any]:
    """Return the state after a validation; `best` is this one unless an earlier one is clearly better.

    Clearly means by more than the standard error of the rank correlation over so many faces; of mean pAUCs the lowest
    is the best. `scores` are those of the validation faces, whose scale `best` keeps.
    """
    validations = [*state["validations"], entry]
    advanced = {**state, "validations": validations}
    if best_by == "pauc":
        chosen = entry["pauc"] <= min(one["pauc"] for one in validations)
    else:
        # Smaller differences are noise, and the falling step size favours later ones.
        highest = max(one["validation_spearman"] for one in validations)
        error = (1 - highest**2) / math.sqrt(max(1, len(scores) - 1))
        chosen = entry["validation_spearman"] >= highest - error
    if chosen:
        scale = score_scale(scores, SCALE_ORIGIN)
        document = None if scale is None else scale.model_dump(mode="json")
        advanced |= {"best": copied(network), "best_epoch": math.ceil(entry["epoch"]), "scale": document}
        advanced |= {"best_metrics": entry}
    return advanced


def copied(network: nn.Module) -> dict[str, Any]:
    """Return the weights of a network as tensors of their own on the CPU; what else a state holds stays as it is."""
    return {
        key: value.detach().cpu().clone() if isinstance(value, Tensor) else value
        for key, value in network.state_dict().items()
    }
