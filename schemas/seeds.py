"""Seeds derived from the run seed and a path, never from time or place (docs/architecture.md, promise 1)."""

import hashlib

import numpy as np

SEED_BITS = 63


def derive_seed(run_seed: int, *path: str | int) -> int:
    """Return a seed in [0, 2**63) that depends only on the run seed and a path such as ("sample", 17, 3)."""
    text = "/".join(f"{type(part).__name__}:{part}" for part in (run_seed, *path))
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - SEED_BITS)


def generator(seed: int) -> np.random.Generator:
    """Return a counter-based generator (Philox), equal on every platform for equal seeds."""
    return np.random.Generator(np.random.Philox(key=seed))
