"""A training chain of pixel diffusion, its shortening to few steps, and ancestral sampling with learned variance.

The network predicts, of an image x at a step, the noise in it and where between its two bounds the logarithm of the
variance lies, at -1 for the lower and 1 for the upper. Arithmetic of schedules is float64, that of images float32.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from synfiqa.actors.generation.unconditional.seeded_noise import gaussian_noise

TRAINING_STEPS = 1000
FIRST_BETA, LAST_BETA = 1e-4, 0.02
"""First and last variance of the published linear schedule."""

Network = Callable[[Tensor, Tensor], Tensor]
"""Maps images (N, 3, H, W) and steps (N,) of the training chain to (N, 6, H, W): noise, then share of variance."""


def linear_betas(count: int = TRAINING_STEPS, first: float = FIRST_BETA, last: float = LAST_BETA) -> np.ndarray:
    """Return float64 (count,) variances added by the steps of a training chain, rising linearly."""
    return np.linspace(first, last, count)


def kept_steps(total: int, count: int) -> np.ndarray:
    """Return int64 (count,) rising indices into a chain of `total` steps, evenly spread, first and last among them."""
    if not 2 <= count <= total:
        raise ValueError(f"{count} steps cannot be kept of {total}: choose 2 to {total}")
    return np.array([round(number * (total - 1) / (count - 1)) for number in range(count)])


def respaced(betas: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return the betas of the chain of the kept steps alone, which has the long chain's noise level at each."""
    signal = np.cumprod(1 - betas)[steps]
    return 1 - signal / np.concatenate([[1.0], signal[:-1]])


@dataclass(frozen=True)
class Reversal:
    """Coefficients of steps back, float64 (S,) each: x0 = start_x * x - start_noise * noise, mean, log variance bounds.

    The mean is mean_start * x0 + mean_x * x. The first step's lower bound, 0, is replaced by the second's.
    """

    start_x: np.ndarray
    start_noise: np.ndarray
    mean_start: np.ndarray
    mean_x: np.ndarray
    log_lower: np.ndarray
    log_upper: np.ndarray

    @classmethod
    def of(cls, betas: np.ndarray) -> "Reversal":
        """Return the coefficients of a chain."""
        alphas = 1 - betas
        signal = np.cumprod(alphas)
        before = np.concatenate([[1.0], signal[:-1]])
        lower = betas * (1 - before) / (1 - signal)
        return cls(
            start_x=signal**-0.5,
            start_noise=np.sqrt(1 / signal - 1),
            mean_start=betas * np.sqrt(before) / (1 - signal),
            mean_x=(1 - before) * np.sqrt(alphas) / (1 - signal),
            log_lower=np.log(np.concatenate([lower[1:2], lower[1:]])),
            log_upper=np.log(betas),
        )

    def table(self) -> Tensor:
        """Return float32 (S, 6), the columns in the order of the fields."""
        columns = (self.start_x, self.start_noise, self.mean_start, self.mean_x, self.log_lower, self.log_upper)
        return torch.from_numpy(np.stack(columns, axis=1)).float()


def step_back(x: Tensor, output: Tensor, row: Tensor, noise: Tensor | float) -> Tensor:
    """Return the images (N, 3, H, W) one step less noisy; `row` (6,) is that of the step in `Reversal.table`.

    The predicted image x0 is clamped to -1..1. A noise of 0 gives the mean.
    """
    start_x, start_noise, mean_start, mean_x, log_lower, log_upper = row.unbind()
    predicted, share = output.chunk(2, dim=1)
    start = (start_x * x - start_noise * predicted).clamp(-1, 1)
    mean = mean_start * start + mean_x * x
    log_variance = log_lower + (share + 1) / 2 * (log_upper - log_lower)
    return mean + (log_variance / 2).exp() * noise


def noisy_step_back(x: Tensor, output: Tensor, row: Tensor, seeds: Tensor, draw: Tensor) -> Tensor:
    """Return `step_back` with each image's own noise of that draw."""
    return step_back(x, output, row, gaussian_noise(seeds, draw, x.shape[1:]))


class Ancestral:
    """Ancestral sampling of a chain; image i depends on seed i and on the network alone."""

    def __init__(self, steps: int = 100, betas: np.ndarray | None = None, device: torch.device | str = "cpu") -> None:
        """Prepare a chain of `steps` steps of the published one, or of the one of `betas`."""
        betas = linear_betas() if betas is None else betas
        kept = kept_steps(len(betas), steps)
        self._device = torch.device(device)
        self._kept = torch.from_numpy(kept).to(self._device)
        self._rows = Reversal.of(respaced(betas, kept)).table().to(self._device)
        self._advance = noisy_step_back

    def compile(self, **options: object) -> None:
        """Fuse noise and step into few kernels; the options are those of `torch.compile`."""
        self._advance = torch.compile(noisy_step_back, **options)  # type: ignore[call-overload]

    def sample(self, network: Network, seeds: Sequence[int], size: int) -> Tensor:
        """Return float32 (N, 3, size, size), -1..1 but for rounding; each starts at draw 0 of its seed."""
        own = torch.tensor(seeds, dtype=torch.int64, device=self._device)
        # Draws are tensors, because a compiled step would be compiled again for each number.
        draws = torch.arange(len(self._kept), device=self._device)
        with torch.inference_mode():
            x = gaussian_noise(own, 0, (3, size, size))
            if self._device.type == "cuda":
                x = x.contiguous(memory_format=torch.channels_last)
            for index in range(len(self._kept) - 1, 0, -1):
                output = network(x, self._kept[index].expand(len(own)))
                x = self._advance(x, output, self._rows[index], own, draws[index])
            output = network(x, self._kept[0].expand(len(own)))
            return step_back(x, output, self._rows[0], 0.0)
