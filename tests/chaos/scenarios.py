"""Scenarios as seeded lists of disasters; a seed always gives the same list."""

import random
from dataclasses import dataclass

DISASTERS = (
    "kill driver",
    "kill workers",
    "storage faults",
    "terminate driver",
    "freeze driver",
    "two drivers",
    "kill node",
    "poison rows",
    "kill head",
    "full disk",
)
"""Disasters; each scenario begins with the next one, so that ten scenarios contain all of them."""

_SECOND = ("kill driver", "kill workers", "terminate driver", "poison rows", "")
_S3_ONLY = ("storage faults",)
_LOCAL_ONLY = ("full disk",)


@dataclass(frozen=True)
class Scenario:
    """One run: its disasters in order, store, placement and file format."""

    number: int
    seed: int
    disasters: tuple[str, ...]
    store: str
    placement: dict
    file_format: str

    @property
    def poison(self) -> float:
        """Share of rows that raise."""
        return 0.01 if "poison rows" in self.disasters else 0.0

    def __str__(self) -> str:
        layout = f"{self.placement['mode']} x{self.placement['workers']}"
        return f"{self.number:>3}  {self.store:<5} {self.file_format:<10} {layout:<9} {' + '.join(self.disasters)}"


def make_scenarios(count: int, seed: int, stores: tuple[str, ...] = ("local", "s3")) -> list[Scenario]:
    """Return `count` scenarios; ten in a row contain every disaster, each ten in another mix."""
    return [_scenario(number, seed, stores) for number in range(count)]


def _scenario(number: int, seed: int, stores: tuple[str, ...]) -> Scenario:
    dice = random.Random(f"{seed}-{number}")
    names = [name for name in DISASTERS if "s3" in stores or name not in _S3_ONLY]
    names = [name for name in names if "local" in stores or name not in _LOCAL_ONLY]
    first = names[number % len(names)]
    disasters = [first, *(extra for extra in dice.sample(_SECOND, dice.randint(1, 2)) if extra and extra != first)]
    store = dice.choice(stores)
    if first in _S3_ONLY:
        store = "s3"
    if first in _LOCAL_ONLY:
        store = "local"
    placement = dice.choice(
        (
            {"mode": "fused", "workers": 1},
            {"mode": "fused", "workers": 2},
            {"mode": "split", "workers": 1},
            {"mode": "split", "workers": 1, "labels": PINNED},
        )
    )
    return Scenario(number, seed, tuple(disasters), store, placement, dice.choice(("parquet", "webdataset")))


PINNED = {
    "conditional_generator": {"pool": "a"},
    "annotator": {"pool": "b"},
    "identity_generator": {"pool": "b"},
    "identity_filter": {"pool": "a"},
}
"""Labels that place stages on different nodes, so that losing one node stops some stages only."""
