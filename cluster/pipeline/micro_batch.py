"""The size of padded model calls: the micro-batch of the config, or less after memory ran out."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_limit: ContextVar[int | None] = ContextVar("limit", default=None)


@contextmanager
def at_most(size: int | None) -> Iterator[None]:
    """Let padded calls inside the block have no more than `size` images; None leaves them as they are."""
    token = _limit.set(size)
    try:
        yield
    finally:
        _limit.reset(token)


def call_size(micro_batch: int) -> int:
    """Return how many images a call is padded to: the micro-batch, or less after memory ran out."""
    limit = _limit.get()
    return micro_batch if limit is None else min(micro_batch, limit)
