import pytest
import yaml
from pydantic import ValidationError

from synfiqa.schemas.model_card import ModelCard, StateRules

FIELDS = {
    "name": "mine",
    "role": "embedder",
    "architecture": "adaface-ir",
    "source": "w.pth",
    "sha256": "0" * 64,
    "input_size": 112,
    "channels": "bgr",
    "value_range": (-1, 1),
    "output": "unit vector (512,)",
    "licence": "MIT",
    "commercial_use": False,
}


def refused(**changes) -> str:
    with pytest.raises(ValidationError) as caught:
        ModelCard(**FIELDS | changes)
    return str(caught.value)


def test_fields_that_affect_the_input_have_no_default():
    required = {name for name, field in ModelCard.model_fields.items() if field.is_required()}
    assert required == {
        *("name", "role", "architecture", "input_size", "channels", "value_range"),
        *("output", "licence", "commercial_use"),
    }


def test_match_cosine_is_for_embedders_only():
    assert ModelCard(**FIELDS | {"match_cosine": 0.3}).match_cosine == 0.3
    assert "less than 1" in refused(match_cosine=1.0)
    assert "match_cosine is for embedders, not for the role detector: leave it out" in refused(
        role="detector", match_cosine=0.3
    )


def test_a_card_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        ModelCard(**FIELDS).licence = "none"


@pytest.mark.parametrize(
    "licence",
    [
        *("CC BY-NC 4.0", "CC-BY-NC-SA-4.0", "cc_by_nc", "MPI non-commercial", "noncommercial", "non commercial use"),
        *("MIT code; WebFace4M research only", "research use only", "For academic purposes only", "evaluation only"),
        *("no commercial use", "not for commercial use", "commercial use is not allowed", "Commercial use prohibited"),
        *("research purposes", "for academic use", "Microsoft Research License", "evaluation licence"),
        *(
            "none stated",
            "none stated; data unknown",
            "MIT code, weights: not specified",
            "no license given",
            "unclear",
        ),
        *("All rights reserved", "(c) 2024 Somebody. ALL RIGHTS RESERVED."),
        *(
            "Non\u2010commercial",
            "non\u2011commercial",
            "Non\u2013Commercial",
            "non\u2212commercial",
            "CC BY\u2013NC 4.0",
        ),
    ],
)
def test_commercial_use_is_refused_for_a_licence_that_forbids_it(licence):
    assert f"commercial_use is true but the licence is '{licence}': set it to false" in refused(
        licence=licence, commercial_use=True
    )
    assert ModelCard(**FIELDS | {"licence": licence}).commercial_use is False


@pytest.mark.parametrize(
    "licence",
    [
        *("MIT", "Apache-2.0", "BSD-3-Clause", "BSD-3 (NCSA)", "CreativeML OpenRAIL-M", "CC BY 4.0"),
        *(
            "The Unlicense",
            "MIT, Copyright Facebook AI Research",
            "MIT; commercial use allowed",
            "CC0, no restrictions",
        ),
        "not copyleft; commercial use allowed",
    ],
)
def test_commercial_use_is_accepted_for_a_licence_that_allows_it(licence):
    assert ModelCard(**FIELDS | {"licence": licence, "commercial_use": True}).commercial_use


@pytest.mark.parametrize(
    "licence", ["", " ", "none", "None", "UNKNOWN", "tbd", "TODO", "n/a", "?", "-", "MIT\nBSD", "\x1b[0m"]
)
def test_a_licence_must_be_named(licence):
    assert "licence" in refused(licence=licence)


def test_none_stated_is_a_valid_licence_text():
    assert ModelCard(**FIELDS | {"licence": "none stated; data CC BY-NC-SA 4.0"})


@pytest.mark.parametrize("sha256", ["", "abc", "0" * 63, "0" * 65, "A" * 64, "g" * 64])
@pytest.mark.parametrize("source", ["w.pth", "", "s3://zoo/w.pth", "package:facenet_pytorch/data"])
def test_a_card_with_weights_needs_a_digest(source, sha256):
    assert "sha256" in refused(source=source, sha256=sha256)


@pytest.mark.parametrize("source", ["built-in", "random:0"])
def test_built_in_and_random_models_need_no_digest(source):
    assert ModelCard(**FIELDS | {"source": source, "sha256": ""})


@pytest.mark.parametrize("source", ["w.pth", "random:0"])
def test_value_range_is_required_when_normalise_is_range(source):
    assert "value_range is needed when normalise is range" in refused(source=source, value_range=None)
    for changes in ({"normalise": "clip"}, {"normalise": "imagenet"}, {"normalise": "per-image", "channels": "gray"}):
        assert ModelCard(**FIELDS | {"value_range": None} | changes)
    assert ModelCard(**FIELDS | {"source": "built-in", "sha256": "", "value_range": None})


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_per_image_standardisation_needs_grey_input(channels):
    assert "normalise per-image is for channels gray" in refused(channels=channels, normalise="per-image")


@pytest.mark.parametrize("value_range", [(1, 1), (1, -1)])
def test_a_value_range_that_does_not_rise_is_refused(value_range):
    assert "value_range must rise, not" in refused(value_range=value_range)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("value_range", (float("-inf"), 1)),
        ("value_range", (float("nan"), 1)),
        ("canary", (float("nan"),)),
        ("cost_gflop", float("inf")),
        ("cost_gflop", -1),
        ("input_size", 0),
        ("channels", "grey"),
        ("normalise", "zero-one"),
        ("resize", "nearest"),
        ("role", "quality2"),
        ("name", "a/b"),
    ],
)
def test_values_outside_of_their_range_are_refused(field, value):
    assert field in refused(**{field: value})


@pytest.mark.parametrize("rename", [[("(", "")], [("[", "x")], [("a", r"\1")], [(r"(a)", r"\2")], [("a",)]])
def test_rules_that_cannot_be_applied_are_refused(rename):
    with pytest.raises(ValidationError, match="rename"):
        StateRules(rename=rename)


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("{since: 2024-05-01}", "arguments.since is a date, which JSON does not have: put it in quotes if it is text"),
        ("{layers: [{at: 2024-05-01 10:00:00}]}", "arguments.layers.0.at is a datetime, which JSON does not have"),
        ("{gain: .nan}", "arguments.gain is nan: a number must be finite"),
        ("{gains: [1, -.inf]}", "arguments.gains.1 is -inf: a number must be finite"),
        ("{classes: !!set {a}}", "arguments.classes is a set"),
        ("{key: !!binary aGk=}", "arguments.key is a bytes"),
        ("{names: {1: one}}", "arguments.names has the key 1, which is no text: put it in quotes"),
        ("{names: {no: one}}", "arguments.names has the key False"),
        ("{loop: &loop [*loop]}", "contains itself"),
    ],
)
def test_arguments_that_are_not_json_serialisable_are_refused(written, complaint):
    assert complaint in refused(arguments=yaml.safe_load(written))


def test_arguments_may_nest_every_kind_of_json():
    arguments = {
        "depth": 18,
        "gain": 0.5,
        "name": "x",
        "flat": True,
        "none": None,
        "widths": [4, [8]],
        "config": {"a": {}},
    }
    assert ModelCard(**FIELDS | {"arguments": arguments}).arguments == arguments


def test_a_card_comes_back_from_its_json():
    card = ModelCard(
        **FIELDS | {"state": {"rename": [[r"^layer(\d)", r"blocks.\1"]], "keep": "net."}, "canary": [0.25, -1]}
    )
    assert ModelCard.model_validate_json(card.model_dump_json()) == card
