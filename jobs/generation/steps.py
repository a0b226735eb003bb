"""Steps of a run that has grown: the numbers of identities that it wanted, each finished before the next begins.

So a revision of a unit or shard has one content, whoever makes it and from when: that of its step.
"""

import math
from collections.abc import Mapping, Sequence

from synfiqa.schemas.config.run import RunConfig


def at_step(config: RunConfig, identities: int) -> RunConfig:
    """Return the config as it was when the run wanted so many identities."""
    if identities == config.generate.identities:
        return config
    return config.model_copy(update={"generate": config.generate.model_copy(update={"identities": identities})})


def shards_of(config: RunConfig) -> int:
    """Return how many shards the identities of the config fill."""
    return math.ceil(config.generate.identities / config.generate.identities_per_shard)


def current_step(steps: Sequence[int], accepted: int) -> int:
    """Return the first step that so many accepted identities do not fill, or the last."""
    return next((step for step in steps if step > accepted), steps[-1])


def newly(counts: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    """Return what a later revision of a unit or shard counts more than the one before, less being negative."""
    return {name: counts.get(name, 0) - before.get(name, 0) for name in {**before, **counts}}
