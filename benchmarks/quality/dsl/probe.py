"""Linear probe of the degradation encoder: which of six kinds an image was degraded by."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from synfiqa.actors.imaging.preprocess import network_input
from synfiqa.actors.quality.trained.portraits.portrait_model import PortraitModel
from synfiqa.fiqa_train.portraits.portrait_item import PortraitItem

PENALTY = 1e-3


@torch.inference_mode()
def encoded(model: PortraitModel, portraits: Sequence[PortraitItem]) -> torch.Tensor:
    """Return the mean and the standard deviation over the tokens of each central crop, (N, 2 D)."""
    side = model.card.input_size
    crops = []
    for item in portraits:
        top, left = ((size - side) // 2 for size in item.image.shape[:2])
        crops.append(item.image[top : top + side, left : left + side])
    found = []
    for start in range(0, len(crops), 32):
        tokens = model.network.encoder(network_input(np.stack(crops[start : start + 32]), model.card))
        found.append(torch.cat([tokens.mean(dim=1), tokens.std(dim=1)], dim=1))
    return torch.cat(found)


def probe_accuracy(train: torch.Tensor, kinds: np.ndarray, test: torch.Tensor, wanted: np.ndarray) -> float:
    """Return the share of test features (M, F) that a linear classifier of training features (N, F) names rightly."""
    middle, spread = train.mean(dim=0), train.std(dim=0) + 1e-6
    inputs, target = ((train - middle) / spread).clone(), torch.from_numpy(kinds)
    weights = torch.zeros(inputs.shape[1], int(kinds.max()) + 1, requires_grad=True)
    offset = torch.zeros(weights.shape[1], requires_grad=True)
    optimiser = torch.optim.LBFGS([weights, offset], max_iter=200)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = functional.cross_entropy(inputs @ weights + offset, target) + PENALTY * weights.square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    chosen = (((test - middle) / spread) @ weights + offset).argmax(dim=1).numpy()
    return float((chosen == wanted).mean())
