"""A candidate's identity: named shape and appearance coefficients and attributes, a pure function of one seed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from synfiqa.actors.face3d.shape.coefficients import AGE_SHIFT, APPEARANCE, LIMIT, SEX_SHIFT, SHAPE
from synfiqa.schemas.seeds import derive_seed, generator

SHAPE_NAMES = tuple(SHAPE)
APPEARANCE_NAMES = tuple(APPEARANCE)
HAIR_STYLES = (
    "bald", "buzz", "short", "side_part", "quiff", "receding", "curly", "afro", "pixie", "bob", "long", "long_fringe",
    "bun", "wavy",
)  # fmt: skip
HAIR_COLOURS = ("black", "dark_brown", "brown", "chestnut", "red", "blond", "grey", "white")
BALANCED = (1.0,) * 10
"""Weights of the skin tones 1 to 10 on the Monk scale: all equally often."""

_INDEX = {name: i for i, name in enumerate(SHAPE_NAMES)}
_APPEARANCE_INDEX = {name: i for i, name in enumerate(APPEARANCE_NAMES)}
Attribute = float | int | str | bool


@dataclass(frozen=True, eq=False)
class Identity:
    """An identity: clipped-normal shape and appearance coefficients and readable attributes.

    Attributes: sex (latent, 0 feminine to 1 masculine), age (years), skin_tone (Monk 1..10), hair_style, hair_colour,
    beard ("none", "stubble", "moustache", "goatee", "full"), makeup (0..1), glasses (wears clear ones by default).
    """

    seed: int
    shape: np.ndarray
    appearance: np.ndarray
    attributes: dict[str, Attribute]

    def s(self, name: str) -> float:
        """Return one shape coefficient by name (about -2.2..2.2)."""
        return float(self.shape[_INDEX[name]])

    def a(self, name: str) -> float:
        """Return one appearance coefficient by name (about -2.2..2.2)."""
        return float(self.appearance[_APPEARANCE_INDEX[name]])

    def number(self, name: str) -> float:
        """Return a numeric attribute."""
        return float(self.attributes[name])

    def with_attributes(self, **changes: Attribute) -> "Identity":
        """Return the identity with some attributes replaced."""
        unknown = set(changes) - set(self.attributes)
        if unknown:
            raise KeyError(f"unknown attributes {sorted(unknown)}; known: {sorted(self.attributes)}")
        return replace(self, attributes={**self.attributes, **changes})

    def without_glasses(self) -> "Identity":
        """Return the identity without its clear glasses."""
        return self.with_attributes(glasses=False)

    @property
    def key(self) -> tuple[object, ...]:
        """Return a hashable cache key that is equal for equal identities."""
        return (
            self.seed,
            self.shape.tobytes(),
            self.appearance.tobytes(),
            tuple(sorted(self.attributes.items())),
        )


def _coefficients(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.clip(rng.standard_normal(count), -LIMIT, LIMIT).astype(np.float32)


def sample_identity(seed: int, skin_tones: Sequence[float] = BALANCED) -> Identity:
    """Return the identity of a seed; equal seeds and skin tone weights give equal identities on every machine."""
    rng = generator(derive_seed(seed, "face3d", "identity"))
    masculine = bool(rng.random() < 0.5)
    sex = float(np.clip((0.85 if masculine else 0.15) + 0.12 * rng.standard_normal(), 0, 1))
    age = float(np.clip(18 + 57 * rng.beta(1.5, 2.2), 18, 75))
    share = np.cumsum(np.asarray(skin_tones, float))
    tone = 1 + int(np.searchsorted(share / share[-1], rng.random(), side="right"))
    shape = _coefficients(rng, len(SHAPE_NAMES))
    appearance = _coefficients(rng, len(APPEARANCE_NAMES))
    for table, amount in ((SEX_SHIFT, 2 * sex - 1), (AGE_SHIFT, (age - 42) / 25)):
        for name, shift in table.items():
            shape[_INDEX[name]] += shift * amount
    np.clip(shape, -LIMIT, LIMIT, out=shape)
    attributes: dict[str, Attribute] = {
        "sex": round(sex, 4),
        "age": round(age, 2),
        "skin_tone": tone,
        "hair_style": _hair_style(rng, masculine, age, tone),
        "hair_colour": _hair_colour(rng, age, tone),
        "beard": str(rng.choice(["none", "stubble", "moustache", "goatee", "full"], p=[0.42, 0.2, 0.1, 0.12, 0.16]))
        if masculine
        else "none",
        "makeup": 0.0 if masculine else round(float(rng.beta(1.2, 1.6)), 3),
        "glasses": bool(rng.random() < 0.12),
    }
    return Identity(seed, shape, appearance, attributes)


def _hair_style(rng: np.random.Generator, masculine: bool, age: float, tone: int) -> str:
    dark = tone >= 8
    if masculine:
        weights = {
            "bald": 0.05 + 0.12 * (age > 45), "buzz": 0.17, "short": 0.24, "side_part": 0.17, "quiff": 0.14,
            "receding": 0.04 + 0.16 * (age > 40), "curly": 0.1, "afro": 0.12 if dark else 0.01, "long": 0.04,
        }  # fmt: skip
    else:
        weights = {
            "pixie": 0.12, "bob": 0.2, "long": 0.16, "wavy": 0.14, "long_fringe": 0.13, "bun": 0.18, "curly": 0.08,
            "afro": 0.14 if dark else 0.01, "buzz": 0.02,
        }  # fmt: skip
    p = np.array(list(weights.values()))
    return str(rng.choice(list(weights), p=p / p.sum()))


def _hair_colour(rng: np.random.Generator, age: float, tone: int) -> str:
    if rng.random() < np.clip((age - 42) / 45, 0, 0.7):
        return str(rng.choice(["grey", "white"], p=[0.7, 0.3]))
    if tone >= 6:
        return str(rng.choice(["black", "dark_brown"], p=[0.8, 0.2]))
    return str(rng.choice(HAIR_COLOURS[:6], p=[0.2, 0.26, 0.2, 0.12, 0.07, 0.15]))
