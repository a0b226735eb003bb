"""Scenarios as seeded lists of disasters; a seed always gives the same list."""

import random
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of disaster: the store it needs, whether its workers follow the cluster, whether it goes with no other."""

    store: str = ""
    elastic: bool = False
    alone: bool = False
    """It is played otherwise than the others."""
    last: bool = False
    """After it the run is finished, so that nothing more can strike."""


KINDS = {
    "kill driver": Kind(),
    "node joins": Kind(elastic=True),
    "kill workers": Kind(),
    "storage faults": Kind(store="s3"),
    "node dies": Kind(elastic=True),
    "terminate driver": Kind(),
    "freeze driver": Kind(last=True),
    "node drains": Kind(elastic=True),
    "two drivers": Kind(),
    "other libraries": Kind(elastic=True),
    "kill node": Kind(),
    "lease lost in label": Kind(alone=True),
    "poison rows": Kind(),
    "set-up fails": Kind(elastic=True),
    "kill head": Kind(),
    "run grows": Kind(last=True),
    "full disk": Kind(store="local"),
    "GPU vanishes": Kind(elastic=True),
    "lease lost in train": Kind(alone=True),
    "kill driver in growth": Kind(last=True),
    "only other libraries": Kind(elastic=True, alone=True),
    "slow store": Kind(store="s3"),
}
"""Disasters by name; each scenario begins with the next one, so that as many scenarios contain all of them."""

DISASTERS = tuple(KINDS)
_SECOND = ("kill driver", "kill workers", "terminate driver", "poison rows", "node joins", "node drains", "")
GROWTH = ("run grows", "kill driver in growth")


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

    @property
    def grows(self) -> bool:
        """Whether the run has fewer identities at first."""
        return any(name in GROWTH for name in self.disasters)

    def __str__(self) -> str:
        layout = f"{self.placement['mode']} x{self.placement['workers'] or 'all'}"
        return f"{self.number:>3}  {self.store:<5} {self.file_format:<10} {layout:<10} {' + '.join(self.disasters)}"


def kinds_on(stores: Sequence[str]) -> list[str]:
    """Return the disasters that are possible on these stores."""
    return [name for name, kind in KINDS.items() if kind.store in ("", *stores)]


def make_scenarios(count: int, seed: int, stores: tuple[str, ...] = ("local", "s3")) -> list[Scenario]:
    """Return `count` scenarios; as many in a row as there are kinds contain all, each time in another mix."""
    names = kinds_on(stores)
    found = []
    for number in range(count):
        dice = random.Random(f"{seed}-{number}")
        first = names[number % len(names)]
        more = () if KINDS[first].alone else dice.sample(_SECOND, dice.randint(1, 2))
        found.append(_scenario(number, seed, stores, (first, *(name for name in more if name and name != first)), dice))
    return found


def make_packed(count: int, seed: int, stores: tuple[str, ...]) -> list[Scenario]:
    """Return `count` scenarios that together contain every disaster possible on these stores once."""
    dice = random.Random(f"{seed}-packed")
    names = kinds_on(stores)
    groups = [[name] for name in names if KINDS[name].alone]
    others = [name for name in names if not KINDS[name].alone]
    dice.shuffle(others)
    # Those after which a run is finished come first here, one a group: two of them would leave one without effect.
    others.sort(key=lambda name: not KINDS[name].last)
    mixed: list[list[str]] = [[] for _ in range(count - len(groups))]
    for at, name in enumerate(others):
        mixed[at % len(mixed)].append(name)
    return [
        _scenario(number, seed, stores, tuple(group), random.Random(f"{seed}-{number}"))
        for number, group in enumerate([*mixed, *groups])
    ]


def _scenario(number: int, seed: int, stores: Sequence[str], names: Sequence[str], dice: random.Random) -> Scenario:
    # Nodes first, while enough units are left for them.
    disasters = tuple(sorted(names, key=lambda name: (KINDS[name].last, not KINDS[name].elastic)))
    store = dice.choice(stores)
    for name in disasters:
        store = KINDS[name].store or store
    fixed = (
        {"mode": "fused", "workers": 1},
        {"mode": "fused", "workers": 2},
        {"mode": "split", "workers": 1},
        {"mode": "split", "workers": 1, "labels": PINNED},
    )
    elastic = ({"mode": "fused", "workers": 0}, {"mode": "fused", "workers": 0}, {"mode": "split", "workers": 0})
    placement = dice.choice(elastic if any(KINDS[name].elastic for name in disasters) else fixed)
    return Scenario(number, seed, disasters, store, placement, dice.choice(("parquet", "webdataset")))


PINNED = {
    "conditional_generator": {"pool": "a"},
    "annotator": {"pool": "b"},
    "identity_generator": {"pool": "b"},
    "identity_filter": {"pool": "a"},
}
"""Labels that place stages on different nodes, so that losing one node stops some stages only."""
