"""Computes FROQ's pseudo-labels of quality: how little small changes of a face move its embedding."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from synfiqa.actors.quality.training_free.recogniser import Recogniser
from synfiqa.schemas.model_card import CardPart
from synfiqa.schemas.seeds import derive_seed, generator

COMPONENTS = ("flip", "occlusion", "noise")
"""Order of the components of a label."""
_GROUP = 4
"""Faces whose changed copies are in memory at once."""


class LabelSettings(CardPart):
    """How faces are changed. Defaults are those of the released method."""

    grid: int = Field(8, ge=1, description="squares of a side: 8 of 14 x 14 pixels at 112")
    alphas: tuple[float, ...] = Field((1e-3,), min_length=1, description="shares of noise, 0..1")
    noise_images: int = Field(10, ge=1, description="images of N(0, 1), the same for all faces")
    seed: int = Field(0, ge=0, description="of the noise")

    @property
    def forwards(self) -> int:
        """Return the forward passes of a face: itself, its mirror image, the squares and the noise."""
        return 2 + self.grid**2 + self.noise_images * len(self.alphas)


def pseudo_labels(recogniser: Recogniser, images: np.ndarray, settings: LabelSettings) -> np.ndarray:
    """Return the components float64 (N, 3) flip, occlusion, noise of uint8 RGB faces (N, 112, 112, 3), each -1..1.

    Each is a mean of cosines between the embeddings of a face x and of its changed copies, made of the network's input:
    the mirror image; x with one square of a grid at the darkest input value (-1 where an image is standardised by
    itself); (1 - alpha) x + alpha n with fixed noise n. The label is the mean of the three components.
    """
    noise = noise_images(recogniser, settings)
    found = [np.empty((0, len(COMPONENTS)))]
    for start in range(0, len(images), _GROUP):
        inputs = recogniser.inputs(images[start : start + _GROUP])
        copies = torch.cat([torch.stack(list(changed(face, noise, settings, fill_of(recogniser)))) for face in inputs])
        vectors = functional.normalize(recogniser.embed(copies)).reshape(len(inputs), settings.forwards, -1)
        cosines = (vectors[:, 1:] * vectors[:, :1]).sum(dim=2).cpu().numpy()
        flip, squares, noisy = np.split(cosines, [1, 1 + settings.grid**2], axis=1)
        found.append(np.stack([part.mean(axis=1) for part in (flip, squares, noisy)], axis=1))
    return np.concatenate(found)


def changed(face: Tensor, noise: Tensor, settings: LabelSettings, fill: float) -> Iterator[Tensor]:
    """Yield the input (C, S, S) itself, its mirror image, its occluded and its noisy copies, in this order."""
    yield face
    yield face.flip(-1)
    side = face.shape[-1]
    edges = [round(index * side / settings.grid) for index in range(settings.grid + 1)]
    for top, bottom in pairwise(edges):
        for left, right in pairwise(edges):
            covered = face.clone()
            covered[:, top:bottom, left:right] = fill
            yield covered
    for alpha in settings.alphas:
        yield from (1 - alpha) * face + alpha * noise


def noise_images(recogniser: Recogniser, settings: LabelSettings) -> Tensor:
    """Return the noise float32 (K, C, S, S) of the settings' seed, the same on every device."""
    channels = 1 if recogniser.card.channels == "gray" else 3
    shape = (settings.noise_images, channels, recogniser.card.input_size, recogniser.card.input_size)
    drawn = generator(derive_seed(settings.seed, "froq-noise")).standard_normal(shape, dtype=np.float32)
    return torch.from_numpy(drawn).to(recogniser.network.running.device)


def fill_of(recogniser: Recogniser) -> float:
    """Return the input value of a covered pixel: black of the card's value range, else -1."""
    card = recogniser.card
    return card.value_range[0] if card.normalise == "range" and card.value_range else -1.0
