"""Distance from rendered people to the nearest real face, beside that from real people to the nearest stranger."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Nearness:
    """Quantiles 0, .01, .1, .5 of the distance to the nearest of `gallery` other people, and how many were compared.

    `nearer` is the share of rendered people who are nearer to a real one than `limit`, the .01 quantile of real people
    to their nearest stranger.
    """

    rendered: np.ndarray
    real: np.ndarray
    limit: float
    nearer: float
    gallery: int


QUANTILES = (0.0, 0.01, 0.1, 0.5)


def nearness(rendered: np.ndarray, real: np.ndarray, person: np.ndarray) -> Nearness:
    """Compare Euclidean distances of unit vectors: rendered people (N, D) and real faces (M, D) of `person` (M,).

    Both sides see a gallery of the same real faces. A real face is compared with those of other people alone; as each
    of them lacks its own person, the galleries differ by one person of many.
    """
    to_real = nearest(rendered, real, np.full(len(rendered), -1), person)
    among_real = nearest(real, real, person, person)
    limit = float(np.quantile(among_real, 0.01))
    return Nearness(
        rendered=np.quantile(to_real, QUANTILES),
        real=np.quantile(among_real, QUANTILES),
        limit=limit,
        nearer=float((to_real < limit).mean()),
        gallery=len(np.unique(person)),
    )


def nearest(probes: np.ndarray, gallery: np.ndarray, who: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return the distance (N,) of each probe of person `who` to the nearest vector of the gallery of another person."""
    cosine = probes @ gallery.T
    cosine[who[:, None] == owner[None, :]] = -1.0
    return np.asarray(np.sqrt(np.maximum(2 - 2 * cosine.max(1), 0)))
