"""A person: the identity of a seed with what belongs to it and with wider variation, as `generate.people` states."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from synfiqa.actors.face3d.shape.coefficients import LIMIT
from synfiqa.actors.face3d.shape.identity import BALANCED, Attribute, Identity, sample_identity
from synfiqa.schemas.config.people import PeopleSection
from synfiqa.schemas.seeds import derive_seed, generator

MORE_BEARDS = ("horseshoe", "chin_strap", "whiskers", "long")
"""Beards that `generate.people.beards` adds."""
LINES_FROM, LINES_FULL = 25.0, 70.0
"""Years from which age lines appear, and at which they are deepest."""
_AS_BEFORE = PeopleSection()


def sample_person(seed: int, people: PeopleSection = _AS_BEFORE, skin_tones: Sequence[float] = BALANCED) -> Identity:
    """Return the identity of a seed with the attributes that `people` adds; its defaults add none.

    Added attributes: own_glasses, headwear ("none", "cap", "headscarf"), lines, freckled and relief (0..1), more_moles.
    """
    identity = sample_identity(seed, skin_tones)
    if people == _AS_BEFORE:
        return identity
    identity = replace(
        identity,
        shape=_scaled(identity.shape, people.shape),
        appearance=_scaled(identity.appearance, people.texture),
    )
    added: dict[str, Attribute] = {
        "headwear": _headwear(identity, people),
        "lines": round(people.lines * _share(identity.number("age"), LINES_FROM, LINES_FULL), 4),
        "freckled": _freckled(identity, people),
        "more_moles": int(_stream(identity, "moles").poisson(people.moles)) if people.moles else 0,
        "relief": people.relief,
    }
    if people.glasses:
        added["own_glasses"] = added["glasses"] = bool(_stream(identity, "glasses").random() < people.glasses)
    if added["headwear"] == "headscarf":
        added["hair_style"] = "bun"  # which a headscarf hides; loose hair would show at its edge
    if identity.attributes["beard"] != "none" and people.beards:
        rng = _stream(identity, "beard")
        if rng.random() < people.beards:
            added["beard"] = MORE_BEARDS[int(rng.integers(len(MORE_BEARDS)))]
    return replace(identity, attributes={**identity.attributes, **added})


def _scaled(coefficients: np.ndarray, factor: float) -> np.ndarray:
    return np.clip(coefficients * np.float32(factor), -LIMIT, LIMIT).astype(np.float32)


def _headwear(identity: Identity, people: PeopleSection) -> str:
    rng = _stream(identity, "headwear")
    scarf, cap = rng.random(2)
    if identity.number("sex") < 0.5 and scarf < people.headscarf:
        return "headscarf"
    return "cap" if cap < people.cap else "none"


def _freckled(identity: Identity, people: PeopleSection) -> float:
    rng = _stream(identity, "freckles")
    has, strength = rng.random(), rng.uniform(0.35, 1.0)
    return round(float(strength), 4) if has < people.freckles and identity.number("skin_tone") <= 6 else 0.0


def _share(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0, 1))


def _stream(identity: Identity, name: str) -> np.random.Generator:
    """Return random numbers of one attribute, so that no share moves the draws of another."""
    return generator(derive_seed(identity.seed, "face3d", "people", name))
