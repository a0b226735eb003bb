"""Samples recipes: references, degraded samples and the portraits of candidates.

Every recipe depends on its own seed alone, so the k-th of an identity is the same for every count. Every
float is a float32 value, so that tables store it without loss.
"""

import numpy as np

from synfiqa.actors.degradation.capture_sampler import with_distance, with_faults, with_scene_faults
from synfiqa.actors.degradation.degrade import sample_scale
from synfiqa.actors.degradation.draws import bounded_normal, log_uniform, single, uniform
from synfiqa.actors.degradation.plugin_factors import with_plugins
from synfiqa.actors.degradation.shot_sampler import with_shot
from synfiqa.schemas.config.generate import BRIGHT_FROM, DARK_BELOW, DegradedSection, GenerateSection
from synfiqa.schemas.recipe import Background, Expression, Gaze, Kind, Light, Occluder, Pose, Profile, Recipe
from synfiqa.schemas.seeds import derive_seed, generator

OCCLUDERS: tuple[Occluder, ...] = ("glasses", "sunglasses", "mask", "scarf", "hand", "hat", "hair", "object")
"""Occluder kinds, drawn with equal probability where `generate.degraded_distribution.occluders` is empty."""

_UNITS = tuple(Expression.model_fields)


def reference_recipes(run_seed: int, identity_key: int, count: int, profile: Profile) -> list[Recipe]:
    """Draw references: frontal within 4 degrees, eyes to the camera, neutral, evenly lit, unoccluded, undegraded."""
    seeds = _seeds(run_seed, identity_key, "reference", count)
    return [_reference(seed, profile) for seed in seeds]


def degraded_recipes(
    run_seed: int, identity_key: int, count: int, distribution: DegradedSection, profile: Profile
) -> list[Recipe]:
    """Draw degraded samples from the configured distribution: pose, expression, light, occluder, s, b, JPEG, faults."""
    seeds = _seeds(run_seed, identity_key, "degraded", count)
    return [_degraded(seed, distribution, profile) for seed in seeds]


def candidate_recipe(seed: int) -> Recipe:
    """Draw the recipe of a candidate's portrait: mostly near frontal, about 12 % with an expression, natural light."""
    rng = _rng(seed)
    pose = Pose(yaw=bounded_normal(rng, 11, 60), pitch=bounded_normal(rng, 5, 30), roll=bounded_normal(rng, 4, 20))
    visible = rng.random() < 0.12
    expression = _expression(rng, (0.35, 1.0)) if visible else _expression(rng, (0.0, 0.15))
    gaze = _gaze(rng, 4)
    light = Light(
        azimuth=bounded_normal(rng, 40, 110),
        elevation=uniform(rng, 0, 50),
        harshness=uniform(rng, 0, 0.45),
        exposure=log_uniform(rng, 0.75, 1.25),
        temperature=bounded_normal(rng, 0.25, 0.8),
    )
    background = _background(rng, {"plain": 0.2, "gradient": 0.25, "blurred": 0.35, "cluttered": 0.2})
    return Recipe(
        kind="reference", seed=seed, pose=pose, expression=expression, gaze=gaze, light=light, background=background
    )


def _reference(seed: int, profile: Profile) -> Recipe:
    rng = _rng(seed)
    recipe = Recipe(
        kind="reference",
        seed=seed,
        pose=Pose(yaw=uniform(rng, -4, 4), pitch=uniform(rng, -4, 4), roll=uniform(rng, -3, 3)),
        expression=_expression(rng, (0.0, 0.08)),
        gaze=_gaze(rng, 1.5),
        light=Light(
            azimuth=uniform(rng, -30, 30),
            elevation=uniform(rng, 5, 35),
            harshness=uniform(rng, 0, 0.15),
            exposure=log_uniform(rng, 0.9, 1.1),
            temperature=uniform(rng, -0.15, 0.15),
        ),
        background=_background(rng, {"plain": 0.4, "gradient": 0.35, "blurred": 0.25}),
        # The release saves references at Pillow's default quality too.
        jpeg_quality=75 if profile == "faithful" else int(rng.integers(90, 96)),
        profile=profile,
    )
    return recipe if profile == "faithful" else with_distance(recipe)


def _degraded(seed: int, distribution: DegradedSection, profile: Profile) -> Recipe:
    rng = _rng(seed)
    pose = Pose(
        yaw=bounded_normal(rng, distribution.yaw_std, 90),
        pitch=bounded_normal(rng, distribution.pitch_std, 45),
        roll=bounded_normal(rng, distribution.roll_std, 90),
    )
    visible = rng.random() < distribution.expression_rate
    expression = _expression(rng, (0.3, 1.0)) if visible else _expression(rng, (0.0, 0.15))
    gaze = _gaze(rng, 9)
    harsh = rng.random() < distribution.harsh_light_rate
    light = Light(
        azimuth=uniform(rng, -180, 180) if harsh else bounded_normal(rng, 35, 90),
        elevation=uniform(rng, -30, 75) if harsh else uniform(rng, 0, 50),
        harshness=uniform(rng, 0.5, 1.0) if harsh else uniform(rng, 0.0, 0.35),
        exposure=log_uniform(rng, DARK_BELOW, BRIGHT_FROM),
        temperature=bounded_normal(rng, 0.35, 1),
    )
    occluded = rng.random() < distribution.occluder_rate
    occluder, coverage = OCCLUDERS[int(rng.integers(len(OCCLUDERS)))], uniform(rng, 0.3, 1.0)
    if distribution.occluders:
        occluder = _weighted_occluder(seed, distribution.occluders)
    background = _background(rng, {"plain": 0.15, "gradient": 0.2, "blurred": 0.35, "cluttered": 0.3})
    low, high = distribution.jpeg_quality
    intervals, weights = distribution.scale_intervals, distribution.scale_weights
    recipe = Recipe(
        kind="degraded",
        seed=seed,
        pose=pose,
        expression=expression,
        gaze=gaze,
        light=light,
        occluder=occluder if occluded else "none",
        occluder_coverage=coverage if occluded else 0.0,
        background=background,
        downsample=single(sample_scale(rng, intervals, weights)),
        blur=single(sample_scale(rng, intervals, weights)),
        jpeg_quality=int(rng.integers(low, high + 1)),
        profile=profile,
    )
    if profile == "faithful":
        # The release has none of these faults.
        return recipe
    return with_faults(recipe, distribution) if profile == "corrected" else with_scene_faults(recipe, distribution)


def identity_recipes(run_seed: int, identity_key: int, settings: GenerateSection) -> list[Recipe]:
    """Return the recipes of all samples that a run generates of an identity, references first."""
    references, degraded, profile = settings.references, settings.degraded, settings.profile
    recipes = [
        *reference_recipes(run_seed, identity_key, references, profile),
        *degraded_recipes(run_seed, identity_key, degraded, settings.degraded_distribution, profile),
    ]
    if settings.shots is not None:
        recipes = [with_shot(recipe, settings.shots) for recipe in recipes]
    return [with_plugins(recipe, settings.factors) for recipe in recipes] if settings.factors else recipes


def _seeds(run_seed: int, identity_key: int, kind: Kind, count: int) -> list[int]:
    return [derive_seed(run_seed, "sample", identity_key, kind, index) for index in range(count)]


def _rng(seed: int) -> np.random.Generator:
    return generator(derive_seed(seed, "recipe"))


def _expression(rng: np.random.Generator, strength: tuple[float, float]) -> Expression:
    """Draw one unit, or two in 35 % of cases, each with a strength in the given range."""
    units = rng.permutation(len(_UNITS))[: 2 if rng.random() < 0.35 else 1]
    return Expression(**{_UNITS[unit]: uniform(rng, *strength) for unit in units})


def _gaze(rng: np.random.Generator, std: float) -> Gaze:
    """Draw a gaze whose yaw deviates by `std` degrees and whose pitch by two thirds of it."""
    return Gaze(yaw=bounded_normal(rng, std, 32), pitch=bounded_normal(rng, std * 2 / 3, 22))


def _weighted_occluder(seed: int, weights: dict[Occluder, float]) -> Occluder:
    """Draw a kind from random numbers of its own, so that weights move no other draw."""
    kinds = list(weights)
    share = np.array([weights[kind] for kind in kinds])
    rng = generator(derive_seed(seed, "recipe", "occluder"))
    return kinds[int(rng.choice(len(kinds), p=share / share.sum()))]


def _background(rng: np.random.Generator, weights: dict[Background, float]) -> Background:
    names = list(weights)
    return names[int(rng.choice(len(names), p=list(weights.values())))]
