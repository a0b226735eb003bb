"""Degrades face crops in two profiles: `corrected`, and `faithful` to the MR-FIQA release.

Both draw an anisotropic Gaussian kernel (variances U(0.175 s, s b), any angle, multiplicative tap noise), blur, then
shrink and enlarge bicubically. The release also shifts the content by s / 2 pixels (its kernel is off-centre),
truncates to uint8, which darkens, wraps round beyond black and white, and shrinks by s + 1, so that no image keeps its
resolution. `corrected` does none of these. It adds faults that the release lacks, in a camera's order: motion blur
before the loss of resolution, sensor noise after it; and misaligned crops.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image
from scipy import ndimage

from synfiqa.actors.degradation.misalignment import misaligned_landmarks
from synfiqa.actors.degradation.operators import motion_blur, sensor_noise
from synfiqa.actors.degradation.plugin_factors import apply_plugins
from synfiqa.actors.degradation.released_blur import correlated
from synfiqa.actors.imaging.alignment import ARCFACE_SIZE, align, similarity_transform, transform_points, warp
from synfiqa.actors.imaging.codec import encode_jpeg
from synfiqa.actors.imaging.released_alignment import released_transform
from synfiqa.actors.imaging.released_crop import padded_square, raised_box
from synfiqa.schemas.factors import FACTORS, after_rendering
from synfiqa.schemas.factors.rules import check_operators
from synfiqa.schemas.recipe import PLUGINS, Profile, Recipe
from synfiqa.schemas.seeds import derive_seed, generator

KERNEL_SIZE = 21
"""Taps per side of the blur kernel."""

_MIN_VARIANCE = 0.175
_TAP_NOISE = 0.1
_CHIN_BELOW_MOUTH = 0.7

_AFTER_RENDERING = {row.field: row.neutral for row in after_rendering()} | {PLUGINS: ()}


@dataclass(frozen=True)
class Kernel:
    """A blur kernel (21, 21) of sum 1 and its Gaussian: variances in px^2, angle in radians [0, pi)."""

    taps: np.ndarray
    lambda1: float
    lambda2: float
    theta: float


@dataclass(frozen=True)
class Degraded:
    """A degraded uint8 RGB image (112, 112, 3) and its kernel's Gaussian; None where no blur was applied."""

    image: np.ndarray
    lambda1: float | None
    lambda2: float | None
    theta: float | None


@dataclass(frozen=True)
class DegradedFace:
    """An aligned face before (`clean`) and after (`image`) degradation, uint8 RGB (112, 112, 3) each.

    `landmarks` (5, 2) lie in both; `lambda1`, `lambda2` (px^2) and `theta` (radians) are None when unblurred.
    """

    clean: np.ndarray
    image: np.ndarray
    landmarks: np.ndarray
    lambda1: float | None
    lambda2: float | None
    theta: float | None


def sample_scale(rng: np.random.Generator, intervals: Sequence[tuple[float, float]], weights: Sequence[float]) -> float:
    """Draw a down-sampling factor s or blur level b: an interval by weight, uniform inside, clamped to >= 1."""
    edges = np.cumsum(weights)
    choice = min(int(np.searchsorted(edges, rng.random() * edges[-1], side="right")), len(intervals) - 1)
    low, high = intervals[choice]
    return max(1.0, low + (high - low) * rng.random())


def draw_kernel(
    rng: np.random.Generator, downsample: float, blur: float, profile: Profile, pixel: float = 1.0
) -> Kernel:
    """Draw the blur kernel for factor s and level b > 1, to be applied as a correlation.

    `corrected` mirrors the tap noise through the centre, so that the kernel is point-symmetric and shifts nothing.
    `faithful` has its centre of mass at tap 10 + s / 2 (MR-FIQA add_noise operator). `pixel` is the side of a pixel of
    the crop in pixels of the image to blur: the taps, though not the returned variances, scale with it.
    """
    low, high = _MIN_VARIANCE * downsample, downsample * blur
    lambda1, lambda2 = (float(value) for value in rng.uniform(low, high, size=2))
    theta = float(rng.uniform(0, np.pi))
    noise = 1 + rng.uniform(-_TAP_NOISE * blur, _TAP_NOISE * blur, size=(KERNEL_SIZE, KERNEL_SIZE))
    middle = float(np.ceil(pixel * (KERNEL_SIZE - 1) / 2 - 1e-6))
    size = 2 * int(middle) + 1
    if profile == "corrected":
        half = noise.size // 2
        mirrored = noise.ravel().copy()
        mirrored[half + 1 :] = mirrored[:half][::-1]
        noise, centre = mirrored.reshape(noise.shape), middle
    else:
        centre = middle + 0.5 * (downsample - 1) * pixel
    if size != KERNEL_SIZE:
        noise = np.asarray(cv2.resize(noise, (size, size), interpolation=cv2.INTER_LINEAR), np.float64)
    taps = _gaussian(lambda1 * pixel**2, lambda2 * pixel**2, theta, centre, size) * noise
    if profile == "faithful":
        shift = middle + downsample / 2 * pixel - np.array(ndimage.center_of_mass(taps))
        taps = ndimage.shift(taps, shift, order=3)
    return Kernel(taps / taps.sum(), lambda1, lambda2, theta)


def degrade(image: np.ndarray, recipe: Recipe) -> Degraded:
    """Apply blur, motion, resampling and noise of a recipe and its seed to a uint8 RGB crop (112, 112, 3)."""
    if image.shape != (ARCFACE_SIZE, ARCFACE_SIZE, 3) or image.dtype != np.uint8:
        raise ValueError(f"degrade takes uint8 images of shape (112, 112, 3), not {image.dtype} {image.shape}")
    if recipe.blur <= 1:
        return Degraded(_recorded(image, recipe), None, None, None)
    kernel = draw_kernel(generator(derive_seed(recipe.seed, "degrade")), recipe.downsample, recipe.blur, recipe.profile)
    image = correlated(image, kernel.taps, recipe.profile)
    return Degraded(_recorded(image, recipe), kernel.lambda1, kernel.lambda2, kernel.theta)


def portrait_recipe(recipe: Recipe) -> Recipe:
    """Return a recipe with every factor reset that acts after rendering.

    Recipes that are equal then share one rendered portrait.
    """
    return recipe.model_copy(update=_AFTER_RENDERING)


def aligner_landmarks(landmarks: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Return the landmarks (5, 2) that the aligner uses: the true ones with the error that the recipe commands."""
    return misaligned_landmarks(landmarks, recipe)


def clean_crop_and_degrade(
    portrait: np.ndarray, landmarks: np.ndarray, recipe: Recipe, box: np.ndarray | None = None
) -> DegradedFace:
    """Crop the face of a uint8 RGB portrait by its landmarks (5, 2), align it to 112 and degrade it.

    `corrected` aligns with the recipe's misalignment (`landmarks` of the result are the true ones), antialiased for
    faces of twice the output's resolution and more, then degrades. `faithful` degrades the square face `box` at 112 and
    aligns by the landmarks of the undegraded box, with the released estimate. References are only aligned.
    """
    if recipe.profile == "corrected":
        shifted = aligner_landmarks(landmarks, recipe)[None]
        clean = align([portrait], shifted, antialias=True)[0]
        points = transform_points(landmarks[None], similarity_transform(shifted))[0]
        degraded = _degrade_unless_reference(clean, recipe)
        return DegradedFace(clean, degraded.image, points, degraded.lambda1, degraded.lambda2, degraded.theta)
    crop, points = face_box_crop(portrait, landmarks, box)
    degraded = _degrade_unless_reference(crop, recipe)
    matrix = released_transform(points[None])
    clean, image = warp([crop, degraded.image], np.concatenate([matrix, matrix]))
    points = transform_points(points[None], matrix)[0]
    return DegradedFace(clean, image, points, degraded.lambda1, degraded.lambda2, degraded.theta)


def face_box_crop(
    portrait: np.ndarray, landmarks: np.ndarray, box: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the square face box (black outside) as uint8 (112, 112, 3), and the landmarks (5, 2) in it.

    The detector's `box` (x0, y0, x1, y1) is raised to one eye-to-mouth distance above the eyes, rounded, and its
    shorter sides are padded to a square, as released. Where nothing was detected, the box is drawn around the
    landmarks: down to 0.7 of that distance below the mouth, as wide as high. Landmarks are scaled like lengths, as
    released: as if they counted from the edge of the first pixel, which a detector's card says by `pixel-edges`.
    """
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    reach = float(np.hypot(*(mouth - eyes)))
    if not np.isfinite(reach) or reach < 1:
        raise ValueError("eyes and mouth of a face coincide, so there is no face box")
    if box is None:
        top, bottom = eyes[1] - reach, max(eyes[1], mouth[1]) + _CHIN_BELOW_MOUTH * reach
        middle = (landmarks[:, 0].min() + landmarks[:, 0].max()) / 2
        square = np.array([middle, top, middle, bottom])
    else:
        square = raised_box(box, landmarks)
    x0, y0, side = padded_square(square, portrait.shape)
    crop = np.asarray(Image.fromarray(portrait).crop((x0, y0, x0 + side, y0 + side)))
    crop = cv2.resize(crop, (ARCFACE_SIZE, ARCFACE_SIZE), interpolation=cv2.INTER_LINEAR)
    return crop, (landmarks - (x0, y0)) * (ARCFACE_SIZE / side)


def _degrade_unless_reference(image: np.ndarray, recipe: Recipe) -> Degraded:
    return Degraded(image, None, None, None) if recipe.kind == "reference" else degrade(image, recipe)


def _gaussian(lambda1: float, lambda2: float, theta: float, centre: float, size: int) -> np.ndarray:
    offset = np.arange(size) - centre
    along = np.cos(theta) * offset[None, :] + np.sin(theta) * offset[:, None]
    across = np.cos(theta) * offset[:, None] - np.sin(theta) * offset[None, :]
    return np.exp(-0.5 * (along**2 / lambda1 + across**2 / lambda2))


def _recorded(image: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Return the image after motion blur, loss of resolution, sensor noise and the factors of plug-ins."""
    if recipe.profile == "faithful":
        return _resample(image, recipe)
    if recipe.motion > 0:
        angle = generator(derive_seed(recipe.seed, "motion")).uniform(0, np.pi)
        image = motion_blur(image, recipe.motion, angle)
    image = _resample(image, recipe)
    if recipe.noise > 0:
        image = sensor_noise(image, recipe.noise, generator(derive_seed(recipe.seed, "noise")))
    return apply_plugins(image, recipe) if recipe.plugins else image


def _resample(image: np.ndarray, recipe: Recipe) -> np.ndarray:
    corrected = recipe.profile == "corrected"
    small = round(ARCFACE_SIZE / recipe.downsample) if corrected else int(ARCFACE_SIZE / (recipe.downsample + 1))
    if small == ARCFACE_SIZE:
        return image
    shrunk = Image.fromarray(image).resize((small, small), Image.Resampling.BICUBIC)
    return np.asarray(shrunk.resize((ARCFACE_SIZE, ARCFACE_SIZE), Image.Resampling.BICUBIC))


OPERATORS: dict[str, Callable[..., object]] = {
    "misalignment": misaligned_landmarks,
    "blur": draw_kernel,
    "motion": motion_blur,
    "downsample": _resample,
    "noise": sensor_noise,
    "jpeg_quality": encode_jpeg,
}
"""What applies each factor after rendering, in the order of a camera; every such row of the table has one."""

check_operators(FACTORS, OPERATORS)
