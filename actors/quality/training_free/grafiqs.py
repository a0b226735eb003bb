"""GraFIQs (Kolf et al. 2024): how much a face would change a recognition network, by gradients at its statistics."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from synfiqa.actors.quality.training_free.recogniser import Recogniser
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

Variant = Literal["image", "stage1", "stage2", "stage3", "stage4"]
"""Where the gradient is taken: at the network's input, or at the output of one of its four stages."""
VARIANTS: tuple[Variant, ...] = ("image", "stage1", "stage2", "stage3", "stage4")
_FACENET = ("conv2d_4b", "repeat_1", "repeat_2", "repeat_3")
"""Modules of Inception-ResNet v1 that stand for stages: the last is followed by block8, and so by statistics."""


class Grafiqs:
    """A `QualityScorer` of minus the sum of |dL/dz|, z by `arguments.variant`.

    L is the mean over all BatchNorm2d of the squared differences between mean and biased variance of a face's own
    input to it and the running ones (each averaged over channels). Every face has its own L and the network is in
    evaluation mode, so that a batch has the gradients of its faces one by one. Good faces need little change.
    """

    def __init__(self, card: ModelCard, recogniser: Recogniser) -> None:
        """Take the network; UserError for one without BatchNorm2d, or without the stages of the variant."""
        self.card = card
        self._recogniser = recogniser
        self._norms = [module for module in recogniser.module.modules() if isinstance(module, nn.BatchNorm2d)]
        if not self._norms:
            raise UserError(
                f"scorer '{card.name}': {recogniser.card.name} has no BatchNorm2d, with whose statistics it compares; "
                "name an embedder such as an IResNet, AdaFace or FaceNet"
            )
        variant = str(card.arguments.get("variant", "image"))
        self._stage = None if variant == "image" else _stage(recogniser, card.name, variant)

    def score(self, images: np.ndarray) -> np.ndarray:
        """Return float64 scores (N,), 0 and below, of uint8 RGB faces (N, 112, 112, 3)."""
        found = [np.empty(0)]
        for inputs, count in self._recogniser.calls(images):
            gradient = self._gradient(inputs)
            sums = gradient.double().abs().flatten(1).sum(dim=1)
            found.append(-sums[:count].cpu().numpy())
        return np.concatenate(found)

    def _gradient(self, inputs: Tensor) -> Tensor:
        """Return dL/dz of each face in a batch (N, C, H, W)."""
        terms: list[Tensor] = []
        read: list[Tensor] = []

        def compare(module: nn.Module, given: tuple[Tensor, ...]) -> None:
            assert isinstance(module, nn.BatchNorm2d)
            if given[0].requires_grad:
                terms.append(statistics_distance(given[0], module))

        def cut(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
            # Nothing before z is needed, so that the gradient starts here.
            read.append(output.detach().requires_grad_())
            return read[0]

        handles = [module.register_forward_pre_hook(compare) for module in self._norms]
        if self._stage is not None:
            handles.append(self._stage.register_forward_hook(cut))
        try:
            with torch.inference_mode(mode=False), torch.enable_grad():
                leaf = inputs.detach().clone()
                if self._stage is None:
                    read.append(leaf.requires_grad_())
                self._recogniser.module(leaf)
                total = torch.stack(terms).sum() / len(self._norms)
                (gradient,) = torch.autograd.grad(total, read[0])
        finally:
            for handle in handles:
                handle.remove()
        return gradient


def statistics_distance(values: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    """Return (N,): squared distance of each face's mean and biased variance (N, C, H, W) from the running ones."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    means = values.float().mean(dim=(2, 3))
    variances = values.float().var(dim=(2, 3), correction=0)
    return (means - norm.running_mean).square().mean(dim=1) + (variances - norm.running_var).square().mean(dim=1)


def _stage(recogniser: Recogniser, scorer: str, variant: str) -> nn.Module:
    found = _stages(recogniser.module)
    if variant not in VARIANTS or len(found) != len(VARIANTS) - 1:
        raise UserError(
            f"scorer '{scorer}': {recogniser.card.name} has no {variant}; name one of {', '.join(VARIANTS)} and an "
            "embedder such as an IResNet, AdaFace or FaceNet, or the scorer grafiqs, which needs no stages"
        )
    return found[VARIANTS.index(variant) - 1]  # type: ignore[arg-type]


def _stages(module: nn.Module) -> list[nn.Module]:
    """Return the modules that end the four stages of a network of this project; empty for others."""
    children = dict(module.named_children())
    for names in (("layer1", "layer2", "layer3", "layer4"), _FACENET):
        if children.keys() >= set(names):
            return [children[name] for name in names]
    blocks = [block for key in ("body", "stages") for block in children.get(key, nn.Sequential()).children()]
    residual = [block for block in blocks if any(block.children())]
    begins = [index for index, block in enumerate(residual) if _widens(block)]
    return [residual[index - 1] for index in (*begins[1:], len(residual))] if begins else []


def _widens(block: nn.Module) -> bool:
    """Return whether a residual block begins a stage: its convolutions widen or stride."""
    convolutions = [module for module in block.modules() if isinstance(module, nn.Conv2d)]
    return convolutions[0].in_channels != convolutions[-1].out_channels or any(m.stride != (1, 1) for m in convolutions)
