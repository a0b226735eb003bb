"""Deterministic DDIM (Song 2021, eta 0) on the noise schedule of Stable Diffusion, and its starting noise by seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from synfiqa.schemas.seeds import generator

TRAINING_STEPS = 1000
BETA_START, BETA_END = 0.00085, 0.012
"""First and last variance; their square roots rise linearly."""


@dataclass(frozen=True)
class Step:
    """One step: the time input of the networks, and the share of signal variance before and after."""

    time: int
    alpha: float
    alpha_next: float

    def apply(self, latents: Tensor, noise: Tensor) -> Tensor:
        """Return the latents after the step, given those before and the predicted noise."""
        clean = (latents - (1 - self.alpha) ** 0.5 * noise) / self.alpha**0.5
        return self.alpha_next**0.5 * clean + (1 - self.alpha_next) ** 0.5 * noise


@lru_cache(maxsize=16)
def schedule(steps: int) -> tuple[Step, ...]:
    """Return the steps from noise to image; 20 steps have the times 951, 901, ..., 51, 1.

    The last step ends at the first variance of the training chain, not at 0. Of a number that does not divide 1,000 the
    release makes more steps (31 of 30, one at time 991 before the others) and fails for 999; here they are as many as
    requested, which is harmless.
    """
    if not 1 <= steps <= TRAINING_STEPS:
        raise ValueError(f"steps must be 1 to {TRAINING_STEPS}, not {steps}")
    betas = np.linspace(BETA_START**0.5, BETA_END**0.5, TRAINING_STEPS) ** 2
    alphas = np.cumprod(1 - betas)
    # All times have an offset of 1, which with 1,000 steps would exceed the chain.
    times = np.minimum(np.arange(steps) * (TRAINING_STEPS // steps) + 1, TRAINING_STEPS - 1)
    nexts = [float(alphas[0]), *(float(alphas[time]) for time in times[:-1])]
    made = [Step(int(time), float(alphas[time]), after) for time, after in zip(times, nexts, strict=True)]
    return tuple(reversed(made))


def starting_noise(seeds: Sequence[int], channels: int, side: int) -> Tensor:
    """Return standard normal latents (N, C, side, side), float32 on the CPU; each depends on its own seed alone."""
    drawn = [generator(seed).standard_normal((channels, side, side), dtype=np.float32) for seed in seeds]
    return torch.from_numpy(np.stack(drawn))
