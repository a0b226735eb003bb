"""Takes the photograph of a rendered portrait: the chain of a camera from light to file, by the shot of a recipe.

Only the part of the picture around the face is computed: nothing else can reach the aligned crop.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from synfiqa.actors.degradation.camera.distortion import distorted, lens_distorted, seen_part
from synfiqa.actors.degradation.camera.image_processor import (
    denoised,
    rounded,
    sharpened,
    with_contrast,
    with_gamma,
)
from synfiqa.actors.degradation.camera.linear_light import developed, to_light
from synfiqa.actors.degradation.camera.lossy_codecs import coded
from synfiqa.actors.degradation.camera.optics import defocused, exposed, gaussian_blurred, shaken, veiled
from synfiqa.actors.degradation.camera.sensor import dark_read, resampled, sampled, sensor_noised, white_noised
from synfiqa.actors.imaging.alignment import ARCFACE_TEMPLATE, similarity_transform
from synfiqa.schemas.factors.camera_rows import CAMERA_FACTORS
from synfiqa.schemas.factors.rules import check_operators
from synfiqa.schemas.recipe import Recipe, Shot
from synfiqa.schemas.seeds import derive_seed, generator

CROP_EYES = float(np.hypot(*(ARCFACE_TEMPLATE[1] - ARCFACE_TEMPLATE[0])))
"""e in pixels of the aligned 112 x 112 crop, 35.2."""

REACH = 2.8
"""Half the side of the computed part around the middle of the landmarks, in e; corners of a crop are 2.6 e away."""

_SHIFT_BITS = 4  # fraction of the corners of a patch


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph, uint8 RGB (H, W, 3), and the true landmarks (5, 2) of its face in pixels."""

    image: np.ndarray
    landmarks: np.ndarray


def eye_distance(landmarks: np.ndarray) -> float:
    """Return e of landmarks (5, 2) in pixels: what the eyes of a frontal face of this size are apart.

    It is that of the template scaled by the alignment, so that it does not shrink when a head turns.
    """
    return CROP_EYES / float(np.hypot(*similarity_transform(landmarks[None])[0][:, 0]))


def photographed_part(landmarks: np.ndarray, recipe: Recipe, side: int) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the part of a portrait of this side that its photograph looks at.

    Nothing else of the portrait can change it. ValueError for a recipe without a shot.
    """
    shot = _shot(recipe)
    points = np.asarray(landmarks, np.float64)
    if shot.distortion:
        points = distorted(points, shot.distortion, float(side))
    part = _part(points, eye_distance(landmarks), shot, (side, side))
    return seen_part(part, shot.distortion, side) if shot.distortion else part


def photographed(portrait: np.ndarray, landmarks: np.ndarray, recipe: Recipe) -> Photograph:
    """Take the photograph of a clean portrait, uint8 RGB (S, S, 3), with true landmarks (5, 2), by `recipe.shot`.

    Its composition (head, shift, turn, second face) is that of the portrait; all else is applied here. The seed of the
    recipe fixes noise and directions. ValueError for a recipe without a shot.
    """
    shot = _shot(recipe)
    side, e = float(portrait.shape[0]), eye_distance(landmarks)
    points = np.asarray(landmarks, np.float64)
    if shot.distortion:
        points = distorted(points, shot.distortion, side)
    left, top, right, bottom = _part(points, e, shot, portrait.shape)
    if shot.distortion:
        whole = lens_distorted(to_light(portrait), shot.distortion, (0, 0), side)
        light = whole[top:bottom, left:right]
    else:
        light = to_light(np.ascontiguousarray(portrait[top:bottom, left:right]))
    points = points - (left, top)
    light = _through_optics(light, points, e, recipe, shot)
    light, scales = sampled(light, shot.eyes / e)
    image, grown = _processed(light, recipe, shot)
    return Photograph(image, (points + 0.5) * scales * grown - 0.5)


def _shot(recipe: Recipe) -> Shot:
    if recipe.shot is None:
        raise ValueError("a recipe without a shot takes no photograph: its profile is not camera")
    return recipe.shot


def _part(points: np.ndarray, e: float, shot: Shot, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the part of the picture around the face, cut as the shot commands."""
    middle = points.mean(axis=0)
    low, high = middle - REACH * e, middle + REACH * e
    nearest, farthest = points.min(axis=0) - shot.cut * e, points.max(axis=0) + shot.cut * e
    if shot.cut_side in ("left", "top"):
        axis = int(shot.cut_side == "top")
        low[axis] = max(low[axis], nearest[axis])
    elif shot.cut_side in ("right", "bottom"):
        axis = int(shot.cut_side == "bottom")
        high[axis] = min(high[axis], farthest[axis])
    limit = np.array([shape[1], shape[0]])
    # A face off the frame keeps a few pixels, so that there is a picture.
    # Pixel i reaches from i - 0.5 to i + 0.5.
    first = np.clip(np.rint(low + 0.5), 0, limit - 8).astype(int)
    last = np.maximum(np.clip(np.rint(high + 0.5), 0, limit).astype(int), first + 8)
    return int(first[0]), int(first[1]), int(last[0]), int(last[1])


def _through_optics(light: np.ndarray, points: np.ndarray, e: float, recipe: Recipe, shot: Shot) -> np.ndarray:
    if shot.patch > 0:
        light = _with_patch(light, points, shot.patch * e, _random(recipe, "patch"))
    light = exposed(veiled(light, shot.haze), shot.gain)
    light = gaussian_blurred(defocused(light, shot.defocus * e), shot.blur * e)
    return shaken(light, shot.shake * e, _random(recipe, "shake").uniform(0, np.pi) if shot.shake else 0.0)


def _processed(light: np.ndarray, recipe: Recipe, shot: Shot) -> tuple[np.ndarray, np.ndarray]:
    """Return the picture that the sensor's light becomes, and the scales x, y of its enlargement."""
    if shot.noise_kind == "sensor":
        light = sensor_noised(light, shot.noise, _random(recipe, "noise"))
    levels = developed(light, shot.gain)
    if shot.noise_kind == "white":
        levels = white_noised(levels, shot.noise, _random(recipe, "noise"))
    levels = dark_read(levels, shot.dark_noise, shot.lift, _random(recipe, "dark"))
    levels = with_contrast(with_gamma(levels, shot.gamma), shot.contrast)
    image = rounded(sharpened(denoised(levels, shot.denoise), shot.sharpen))
    image, grown = resampled(coded(image, shot.codec, shot.quality), shot.enlarged)
    if shot.second_quality:
        image = coded(image, shot.second_codec, shot.second_quality)
    return image, grown


def _with_patch(light: np.ndarray, points: np.ndarray, side: float, rng: np.random.Generator) -> np.ndarray:
    """Return the light with a flat square of this side in pixels before the face, anywhere on it and at any angle."""
    place = points.min(axis=0) + rng.random(2) * (points.max(axis=0) - points.min(axis=0))
    angle, colour = rng.uniform(0, np.pi / 2), rng.uniform(0.01, 0.7) * np.exp(rng.normal(0, 0.15, 3))
    ahead = np.array([np.cos(angle), np.sin(angle)]) * side / 2
    across = np.array([-ahead[1], ahead[0]])
    corners = place + np.stack([ahead + across, ahead - across, -ahead - across, across - ahead])
    mask = np.zeros(light.shape[:2], np.uint8)
    fixed = np.rint(corners * (1 << _SHIFT_BITS)).astype(np.int32)
    cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, _SHIFT_BITS)
    share = mask[..., None].astype(np.float32) / 255
    return np.asarray(light + share * (colour.astype(np.float32) - light))


def _random(recipe: Recipe, name: str) -> np.random.Generator:
    return generator(derive_seed(recipe.seed, "camera", name))


OPERATORS: dict[str, Callable[..., object]] = {
    "shot.distortion": lens_distorted,
    "shot.cut": _part,
    "shot.patch": _with_patch,
    "shot.haze": veiled,
    "shot.gain": exposed,
    "shot.defocus": defocused,
    "shot.blur": gaussian_blurred,
    "shot.shake": shaken,
    "shot.eyes": sampled,
    "shot.noise": sensor_noised,
    "shot.dark_noise": dark_read,
    "shot.gamma": with_gamma,
    "shot.contrast": with_contrast,
    "shot.quality": coded,
}
"""What applies each factor of the camera, in its order; every such row of `CAMERA_FACTORS` has one."""

check_operators(CAMERA_FACTORS, OPERATORS)
