"""The section of people: ready-made values, and defaults that leave fingerprints as they were."""

import pytest
from pydantic import ValidationError

from synfiqa.schemas.config.generate import DegradedSection, GenerateSection
from synfiqa.schemas.config.people import PRESETS, PeopleSection
from synfiqa.schemas.config.run import RunConfig


def test_at_their_defaults_people_and_occluders_are_in_no_fingerprint():
    sections = RunConfig(generate=GenerateSection(people={"glasses": 0.0}, degraded_distribution={"occluders": {}}))
    generate = sections.recipe_sections()["generate"]
    assert "people" not in generate
    assert "occluders" not in generate["degraded_distribution"]


def test_what_differs_from_the_defaults_is_in_the_fingerprint():
    chosen = GenerateSection(people={"glasses": 0.3}, degraded_distribution={"occluders": {"hood": 1}})
    generate = RunConfig(generate=chosen).recipe_sections()["generate"]
    assert generate["people"] == {"glasses": 0.3}
    assert generate["degraded_distribution"]["occluders"] == {"hood": 1.0}


@pytest.mark.parametrize("name", PRESETS)
def test_a_ready_made_name_stands_for_its_keys_and_survives_writing(name):
    section = GenerateSection(people=name)
    assert section.people == PRESETS[name] != PeopleSection()
    assert GenerateSection.model_validate(section.model_dump(mode="json")) == section


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(ValidationError, match="it must be one of varied"):
        GenerateSection(people="various")


@pytest.mark.parametrize("weights", [{"none": 1}, {"hat": 0}, {"crown": 1}, {"hat": -1}])
def test_weights_of_occluders_that_make_no_sense_are_refused(weights):
    with pytest.raises(ValidationError):
        DegradedSection(occluders=weights)
