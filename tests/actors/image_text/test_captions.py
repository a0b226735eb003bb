import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synfiqa.actors.degradation.degrade import degrade
from synfiqa.actors.degradation.recipe_sampler import degraded_recipes, reference_recipes
from synfiqa.actors.image_text.captions import (
    FACTORS,
    OCCLUSION,
    REFERENCE_CAPTION,
    SHARPNESS,
    WORDINGS,
    attributes,
    caption,
    softness,
    vocabulary,
)
from synfiqa.actors.nets.small_clip import UNKNOWN, WordTokenizer
from synfiqa.schemas.config.generate import DegradedSection
from synfiqa.schemas.recipe import Expression, Light, Pose, Recipe


def recipe(**changes) -> Recipe:
    return Recipe(kind="degraded", seed=0, **changes)


def said(factor: str, text: str) -> set[str]:
    """Classes of a factor whose wording occurs in the text."""
    return {name for name, phrases in WORDINGS[factor].items() if any(phrase in text for phrase in phrases)}


@pytest.mark.parametrize("occluder", list(OCCLUSION))
@pytest.mark.parametrize("mention", [FACTORS, (), ("pose",)])
def test_occlusion_is_always_mentioned_present_or_not(occluder, mention):
    for seed in range(20):
        text = caption(recipe(occluder=occluder), np.random.default_rng(seed), mention)
        assert any(phrase in text for phrase in OCCLUSION[occluder]), text


@given(
    yaw=st.floats(-100, 100),
    pitch=st.floats(-60, 60),
    blur=st.floats(1, 8),
    downsample=st.floats(1, 8),
    harshness=st.floats(0, 1),
    exposure=st.floats(0.1, 4),
    smile=st.floats(0, 1),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_every_factor_is_described_correctly(yaw, pitch, blur, downsample, harshness, exposure, smile, seed):
    shown = recipe(
        pose=Pose(yaw=yaw, pitch=pitch),
        light=Light(harshness=harshness, exposure=exposure),
        expression=Expression(smile=smile),
        blur=blur,
        downsample=downsample,
    )
    text = caption(shown, np.random.default_rng(seed))
    for factor in FACTORS:
        name = attributes(shown)[factor]
        phrases = WORDINGS[factor][name]
        assert not phrases or any(phrase in text for phrase in phrases), (factor, name, text)


def test_wordings_vary_and_depend_on_the_generator_alone():
    texts = [caption(recipe(), np.random.default_rng(seed)) for seed in range(30)]
    assert len(set(texts)) > 20
    assert texts == [caption(recipe(), np.random.default_rng(seed)) for seed in range(30)]


def test_no_wording_stands_for_two_classes():
    for factor, classes in WORDINGS.items():
        for first, second in itertools.combinations(classes, 2):
            assert not set(classes[first]) & set(classes[second]), (factor, first, second)


@pytest.mark.parametrize(
    ("changes", "factor", "name"),
    [
        ({"blur": 1.0, "downsample": 1.0}, "sharpness", "sharp"),
        ({"blur": 8.0, "downsample": 4.0}, "sharpness", "blurry"),
        ({"blur": 1.0, "downsample": 2.0}, "sharpness", "soft"),
        ({"blur": 1.0, "downsample": 8.0}, "sharpness", "blurry"),
        ({"pose": Pose(yaw=-10)}, "pose", "frontal"),
        ({"pose": Pose(yaw=-40)}, "pose", "three-quarter"),
        ({"pose": Pose(yaw=80)}, "pose", "profile"),
        ({"pose": Pose(pitch=30)}, "tilt", "up"),
        ({"pose": Pose(pitch=-30)}, "tilt", "down"),
        ({"expression": Expression(smile=0.2)}, "expression", "neutral"),
        ({"expression": Expression(smile=0.3, frown=0.8)}, "expression", "frown"),
        ({"light": Light(harshness=0.9)}, "light", "uneven"),  # a flash beside the lens hides its shadows
        ({"light": Light(exposure=0.4)}, "light", "dark"),
        ({"light": Light(azimuth=60, harshness=0.9)}, "light", "harsh"),
        ({"light": Light(azimuth=170, harshness=0.9)}, "light", "back"),
        ({"light": Light(azimuth=170, harshness=0.1)}, "light", "even"),
        ({"light": Light(cast=0.6)}, "colour", "tinted"),
        ({"motion": 12.0}, "sharpness", "blurry"),
        ({"noise": 25.0}, "grain", "noisy"),
        ({"noise": 2.0}, "grain", "clean"),
        ({"jpeg_quality": 10}, "file", "coarse"),
        ({"misalignment": -30.0}, "framing", "turned"),
        ({"camera_distance": 1.5}, "lens", "near"),
    ],
)
def test_classes_of_a_recipe(changes, factor, name):
    assert attributes(recipe(**changes))[factor] == name


def test_softness_is_the_width_of_the_applied_kernel():
    blurred = [recipe(blur=6.0).model_copy(update={"seed": seed}) for seed in range(40)]
    image = np.zeros((112, 112, 3), np.uint8)
    image[56, 56] = 255
    across = np.arange(112) - 56
    for shown in blurred[:10]:
        # A point spreads into the kernel; its second moments equal softness, up to rounding to 8 bits.
        spread = degrade(image, shown).image[..., 0].astype(float)
        spread /= spread.sum()
        variance = (spread.sum(axis=0) @ across**2 + spread.sum(axis=1) @ across**2) / 2
        assert softness(shown) == pytest.approx(np.sqrt(variance), rel=0.25)
    assert len({softness(shown) for shown in blurred}) == 40
    assert softness(recipe(blur=6.0).model_copy(update={"kind": "reference"})) == 0


def test_an_omitted_factor_is_not_mentioned():
    text = caption(recipe(blur=8.0, pose=Pose(yaw=80)), np.random.default_rng(1), mention=("light",))
    assert not said("pose", text)
    assert not any(f" {phrase} " in f" {text} " for phrases in SHARPNESS.values() for phrase in phrases)


def test_the_reference_caption_is_true_of_every_reference_and_names_all_quality_factors():
    for shown in reference_recipes(3, 5, 8, "corrected"):
        described = attributes(shown)
        for factor in ("sharpness", "pose", "expression", "light", "occlusion"):
            assert said(factor, REFERENCE_CAPTION) == {described[factor]}, factor


def test_captions_stay_inside_vocabulary_and_context():
    tokenizer = WordTokenizer(vocabulary())
    rng = np.random.default_rng(0)
    shown = degraded_recipes(1, 2, 300, DegradedSection(), "corrected")
    texts = [REFERENCE_CAPTION, *(caption(entry, rng) for entry in shown)]
    tokens = tokenizer(texts).numpy()
    assert not (tokens == UNKNOWN).any()
    assert ((tokens == tokenizer.end).sum(axis=1) == 1).all()
    lengths = [len(text.replace("-", " ").split()) for text in texts]
    assert (tokens.argmax(axis=1) == np.array(lengths) + 1).all(), "a caption was cut"
