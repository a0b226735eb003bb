"""The embedded backends: a seed is a face, whatever the batch; the recipe commands every occluder."""

import numpy as np
import pytest

from synfiqa.actors.degradation.recipe_sampler import degraded_recipes, reference_recipes
from synfiqa.actors.face3d import sample_identity
from synfiqa.actors.generation.conditional.procedural import ProceduralConditionalGenerator, ProceduralIdentityGenerator
from synfiqa.actors.roles import IdentitySource
from synfiqa.schemas.config.generate import DegradedSection
from synfiqa.schemas.config.people import PeopleSection


@pytest.fixture(scope="module")
def generator():
    return ProceduralIdentityGenerator(96)


def test_a_candidate_depends_on_its_seed_alone(generator):
    alone = generator.generate([5])[0]
    among = generator.generate([3, 5, 8])[1]
    np.testing.assert_array_equal(alone.image, among.image)
    assert alone.attributes == among.attributes


def test_a_candidate_says_what_was_commanded(generator):
    attributes = generator.generate([5])[0].attributes
    assert {"yaw", "expression", "glasses", "skin_tone"} <= attributes.keys()


def test_candidates_include_what_the_filter_is_there_for(generator):
    made = [candidate.attributes for candidate in generator.generate(range(1000, 1040))]
    assert any(attributes["glasses"] for attributes in made)
    assert any(attributes["expression"] > 0.25 for attributes in made)
    assert sum(abs(attributes["yaw"]) < 20 for attributes in made) > 25


def test_samples_do_not_depend_on_the_micro_batch():
    source = IdentitySource(0, 77, {}, np.zeros((96, 96, 3), np.uint8))
    recipes = [*reference_recipes(1, 0, 2, "corrected"), *degraded_recipes(1, 0, 3, DegradedSection(), "corrected")]
    whole = ProceduralConditionalGenerator(96).generate(source, recipes)
    parts = [ProceduralConditionalGenerator(96).generate(source, recipes[i : i + 2]) for i in (0, 2, 4)]
    np.testing.assert_array_equal(whole.images, np.concatenate([part.images for part in parts]))
    np.testing.assert_array_equal(whole.landmarks, np.concatenate([part.landmarks for part in parts]))
    assert (whole.occluded_fraction[:2] == 0).all()


def test_skin_tones_follow_the_weights_and_the_samples_the_accepted_tone():
    dark = ProceduralIdentityGenerator(64, skin_tones=(0, 0, 0, 0, 0, 0, 0, 0, 1, 1)).generate(range(8))
    assert {candidate.attributes["skin_tone"] for candidate in dark} == {9, 10}
    recipe = reference_recipes(1, 0, 1, "corrected")
    generator = ProceduralConditionalGenerator(64)
    brightness = [
        generator.generate(IdentitySource(0, 3, attributes, np.zeros((64, 64, 3), np.uint8)), recipe).images[
            0, 30:42, 26:38
        ]
        for attributes in ({"skin_tone": 1}, dark[3].attributes)
    ]
    assert brightness[0].mean() > 1.5 * brightness[1].mean()


def test_an_accepted_identity_is_the_one_that_was_drawn():
    recipe = reference_recipes(1, 0, 1, "corrected")
    tone = sample_identity(77).attributes["skin_tone"]
    told, drawn = (
        ProceduralConditionalGenerator(64).generate(
            IdentitySource(0, 77, known, np.zeros((64, 64, 3), np.uint8)), recipe
        )
        for known in ({"skin_tone": tone}, {})
    )
    np.testing.assert_array_equal(told.images, drawn.images)


def test_own_glasses_are_in_candidate_references_and_samples_and_said_so():
    people = PeopleSection(glasses=1.0)
    candidate = ProceduralIdentityGenerator(64, people=people).generate([77])[0]
    assert candidate.attributes["own_glasses"] is True
    source = IdentitySource(0, 77, candidate.attributes, candidate.image)
    recipes = [*reference_recipes(1, 0, 1, "corrected"), *degraded_recipes(1, 0, 1, DegradedSection(), "corrected")]
    bare, own = (
        ProceduralConditionalGenerator(64, people=one).generate(source, recipes) for one in (PeopleSection(), people)
    )
    assert (np.abs(own.images.astype(int) - bare.images).max(-1) > 24).any((1, 2)).all()
    assert own.occluded_fraction[0] == 0
