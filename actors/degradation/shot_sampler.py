"""Samples the shots of the profile `camera`: composition of the photograph, camera and faults, by `generate.camera`.

Every factor has its own random generator, so that a changed rate or interval leaves the other draws alone. Kinds of
faults are drawn without replacement by exponential clocks (Efraimidis and Spirakis 2006): each kind has a time of its
own, divided by its weight, and the earliest are chosen.
"""

from collections.abc import Callable
from typing import get_args

import numpy as np

from synfiqa.actors.degradation.camera.linear_light import GAMMA
from synfiqa.actors.degradation.draws import log_uniform, log_uniform_whole, single, uniform
from synfiqa.schemas.config.camera_config import CameraFault, CameraSection
from synfiqa.schemas.factors import after_rendering
from synfiqa.schemas.recipe import Codec, Recipe, Shot, Side
from synfiqa.schemas.seeds import derive_seed, generator

_CROP_QUALITY = 96  # of the stored crop, on which no fault acts

_CODECS: tuple[Codec, ...] = get_args(Codec)
_SIDES: tuple[Side, ...] = ("left", "right", "top", "bottom")
_NOT_TOGETHER: dict[CameraFault, CameraFault] = {"dark": "bright", "bright": "dark"}
_MOST_CUSHION = 0.149  # size of k1 < 0, beyond which the corners of a frame fold over
_GOOD_EYES, _GOOD_GRAIN, _GOOD_QUALITY = (45.0, 100.0), (0.5, 1.5), (88, 96)  # of references
_SECOND_APART = (1.5, 2.6)  # between two faces, e
_ENLARGED_EYES = (30.0, 60.0)
_DENOISED_BY = (1.5, 3.5)  # smoothed differences in sigmas of the noise
_SHARPENED = (0.2, 1.2)

_Values = dict[str, float | int | str]


def with_shot(recipe: Recipe, section: CameraSection) -> Recipe:
    """Return the recipe with a shot: a good photograph for a reference, else drawn with faults by its seed.

    Factors of the crop are neutral, since the camera has its own.
    """
    values = _composed(recipe, section) | _ordinary(recipe, section)
    if recipe.kind == "degraded":
        for kind in faults_of(recipe, section):
            values |= _FAULTS[kind](recipe, section, values)
    neutral = {row.field: row.neutral for row in after_rendering()} | {"jpeg_quality": _CROP_QUALITY}
    return Recipe(**{**dict(recipe), **neutral, "shot": Shot.model_validate(values)})


def faults_of(recipe: Recipe, section: CameraSection) -> list[CameraFault]:
    """Return the kinds of faults of a degraded recipe, drawn by its seed."""
    shares = np.cumsum(section.fault_shares)
    count = int(np.searchsorted(shares, _rng(recipe, "faults").random() * shares[-1], side="right"))
    times = {
        kind: -np.log(1 - _rng(recipe, f"whether {kind}").random()) / section.weight(kind)
        for kind in KINDS
        if section.weight(kind) > 0
    }
    chosen: list[CameraFault] = []
    for kind in sorted(times, key=lambda kind: times[kind]):
        if len(chosen) < count and _NOT_TOGETHER.get(kind) not in chosen:
            chosen.append(kind)
    return [kind for kind in KINDS if kind in chosen]


def _composed(recipe: Recipe, section: CameraSection) -> _Values:
    place, reach = _rng(recipe, "place"), section.shift
    return {
        "head": log_uniform(_rng(recipe, "head"), *section.head),
        "shift_x": uniform(place, -reach, reach),
        "shift_y": uniform(place, -reach, reach),
    }


def _ordinary(recipe: Recipe, section: CameraSection) -> _Values:
    good = recipe.kind == "reference"
    weights = np.array(section.codec_weights) / sum(section.codec_weights)
    noise = log_uniform(_rng(recipe, "grain"), *(_GOOD_GRAIN if good else section.grain))
    values: _Values = {
        "eyes": log_uniform(_rng(recipe, "eyes"), *(_GOOD_EYES if good else section.eyes)),
        "noise": noise,
        "codec": "jpeg" if good else _CODECS[int(_rng(recipe, "codec").choice(len(weights), p=weights))],
        "quality": log_uniform_whole(_rng(recipe, "quality"), *(_GOOD_QUALITY if good else section.quality)),
    }
    if good:
        return values
    twice, smooth, sharp = _rng(recipe, "twice"), _rng(recipe, "denoise"), _rng(recipe, "sharpen")
    if twice.random() < section.twice_rate:
        values["second_quality"] = log_uniform_whole(twice, *section.quality)
    if smooth.random() < section.denoise_rate:
        values["denoise"] = single(noise * uniform(smooth, *_DENOISED_BY))
    if sharp.random() < section.sharpen_rate:
        values["sharpen"] = uniform(sharp, *_SHARPENED)
    return values


def _dark(recipe: Recipe, section: CameraSection, values: _Values) -> _Values:
    gain = log_uniform(_rng(recipe, "dark"), *section.dark)
    drawn: _Values = {"gain": gain, "dark_noise": log_uniform(_rng(recipe, "dark noise"), *section.dark_noise)}
    lifted = _rng(recipe, "lift")
    if lifted.random() < section.lift_rate:
        # Back to between half and all of the brightness, in grey levels.
        drawn["lift"] = single(np.clip((lifted.uniform(0.5, 1) / gain) ** (1 / GAMMA), 1, 16))
    return drawn


def _bright(recipe: Recipe, section: CameraSection, values: _Values) -> _Values:
    return {"gain": log_uniform(_rng(recipe, "bright"), *section.bright)}


def _turn(recipe: Recipe, section: CameraSection, values: _Values) -> _Values:
    rng = _rng(recipe, "turn")
    size = log_uniform(rng, *section.turn)
    return {"turn": size if rng.random() < 0.5 else -size}


def _cut(recipe: Recipe, section: CameraSection, values: _Values) -> _Values:
    rng = _rng(recipe, "cut")
    return {"cut": log_uniform(rng, *section.cut), "cut_side": _SIDES[int(rng.integers(len(_SIDES)))]}


def _resolution(recipe: Recipe, section: CameraSection, values: _Values) -> _Values:
    rng = _rng(recipe, "resolution")
    eyes = log_uniform(rng, *section.resolution)
    if rng.random() >= section.enlarge_rate:
        return {"eyes": eyes}
    quality = log_uniform_whole(_rng(recipe, "enlarged quality"), *section.quality)
    return {
        "eyes": eyes,
        "enlarged": single(np.clip(log_uniform(rng, *_ENLARGED_EYES) / eyes, 1, 32)),
        "second_quality": quality,
    }


def _noise(recipe: Recipe, section: CameraSection, values: _Values) -> _Values:
    rng = _rng(recipe, "noise")
    sigma = log_uniform(rng, *section.noise)
    drawn: _Values = {"noise": sigma, "noise_kind": "white" if rng.random() < section.white_noise_rate else "sensor"}
    if "denoise" in values:
        drawn["denoise"] = single(np.clip(sigma * _rng(recipe, "denoise by").uniform(*_DENOISED_BY), 0, 100))
    return drawn


def _distortion(recipe: Recipe, section: CameraSection, values: _Values) -> _Values:
    rng = _rng(recipe, "distortion")
    k1 = log_uniform(rng, *section.distortion)
    return {"distortion": k1 if rng.random() < 2 / 3 else -single(min(k1, _MOST_CUSHION))}


def _second_face(recipe: Recipe, section: CameraSection, values: _Values) -> _Values:
    rng = _rng(recipe, "second face")
    size, apart = log_uniform(rng, *section.second_face), uniform(rng, *_SECOND_APART)
    return {"second_face": size, "second_x": apart if rng.random() < 0.5 else -apart}


def _compression(recipe: Recipe, section: CameraSection, values: _Values) -> _Values:
    return {"quality": log_uniform_whole(_rng(recipe, "compression"), *section.compression)}


def _by_interval(field: str, kind: CameraFault) -> Callable[[Recipe, CameraSection, _Values], _Values]:
    return lambda recipe, section, _: {field: log_uniform(_rng(recipe, kind), *getattr(section, kind))}


_FAULTS: dict[CameraFault, Callable[[Recipe, CameraSection, _Values], _Values]] = {
    "patch": _by_interval("patch", "patch"),
    "dark": _dark,
    "bright": _bright,
    "blur": _by_interval("blur", "blur"),
    "defocus": _by_interval("defocus", "defocus"),
    "shake": _by_interval("shake", "shake"),
    "turn": _turn,
    "cut": _cut,
    "resolution": _resolution,
    "noise": _noise,
    "gamma": _by_interval("gamma", "gamma"),
    "haze": _by_interval("haze", "haze"),
    "contrast": _by_interval("contrast", "contrast"),
    "distortion": _distortion,
    "second_face": _second_face,
    "compression": _compression,
}
KINDS: tuple[CameraFault, ...] = tuple(_FAULTS)
"""Every kind of fault, in the order in which their values are set."""


def _rng(recipe: Recipe, factor: str) -> np.random.Generator:
    return generator(derive_seed(recipe.seed, "shot", factor))
