"""Seeds derived from the run seed and a path, never from time or place (docs/architecture.md, promise 1)."""

import hashlib

import numpy as np
from numpy.random.bit_generator import ISeedSequence

SEED_BITS = 63


def derive_seed(run_seed: int, *path: str | int) -> int:
    """Return a seed in [0, 2**63) that depends only on the run seed and a path such as ("sample", 17, 3)."""
    text = "/".join(f"{type(part).__name__}:{part}" for part in (run_seed, *path))
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - SEED_BITS)


def generator(seed: int) -> np.random.Generator:
    """Return a counter-based generator (Philox), equal on every platform for equal seeds."""
    return np.random.Generator(np.random.Philox(_Key(seed)))  # type: ignore[arg-type]


class _Key(ISeedSequence):
    """The key of a generator: given as `key`, it would first be seeded from the system, which takes longer."""

    __slots__ = ("_seed",)

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def generate_state(self, n_words: int, dtype: object = np.uint32) -> np.ndarray:
        """Return the seed as Philox takes its key, in two words of 64 bits."""
        return np.array([self._seed, 0], np.uint64)
