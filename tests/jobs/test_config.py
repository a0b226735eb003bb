"""Config errors: one sentence that names field, value and remedy, before anything starts."""

import argparse

import pytest

from synfiqa.jobs.config import load_config
from synfiqa.jobs.options import config_of
from synfiqa.schemas.errors import UserError
from tests.fiqa_train.labelled_run import make_run


@pytest.fixture
def config_file(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("generate:\n  identities: 12\n")
    return str(path)


def test_file_then_set_then_run(config_file):
    config = load_config(config_file, ["generate.degraded=5", "run.seed=3"], "memory://x")
    assert (config.generate.identities, config.generate.degraded, config.run.seed) == (12, 5, 3)
    assert config.run.url == "memory://x"


@pytest.mark.parametrize(
    ("override", "fragments"),
    [
        ("generate.identities=abc", ["generate.identities", "'abc'", "integer"]),
        ("generate.identities=0", ["generate.identities", "0", "greater than or equal to 1"]),
        ("generate.identites=5", ["generate.identites", "did you mean identities"]),
        ("nonsense.key=5", ["nonsense", "known keys"]),
        ("generate.degraded_distribution.yaw_std=-1", ["generate.degraded_distribution.yaw_std", "-1"]),
        ("generate.degraded_distribution.scale_weights=[1.0]", ["same length"]),
        ("train.test_fraction=0.89", ["leave identities to train on"]),
        ("evaluate.fmr=[2]", ["fmr"]),
        ("label.name=../../etc", ["label.name"]),
        ("run.seed=.nan", ["run.seed"]),
        ("generate", ["section.key=value"]),
        ("identities=5", ["section.key=value"]),
        ("generate.identities.x=1", ["is a value, not a section"]),
    ],
)
def test_a_wrong_override_is_one_sentence(config_file, override, fragments):
    with pytest.raises(UserError) as error:
        load_config(config_file, [override])
    text = str(error.value)
    assert "\n" not in text
    for fragment in fragments:
        assert fragment in text


@pytest.mark.parametrize(
    ("override", "told"),
    [
        (
            "match_threshold=1.5",
            "label.match_threshold: 1.5 is .* less than 1 or 'auto'; .* label.match_threshold=VALUE$",
        ),
        ("embedder=a/b", "label.embedder: 'a/b' is not valid: String should .* or ''; .* --set label.embedder=VALUE$"),
    ],
)
def test_a_field_of_two_types_is_told_as_one(config_file, override, told):
    """The names of pydantic's branches stood behind the field's, and the remedy named a field that is none."""
    with pytest.raises(UserError, match=told):
        load_config(config_file, [f"label.{override}"])


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("memory_mb={detector: -3, pose: x}", r"memory_mb.detector: -3 is .*.memory_mb.detector=VALUE \(and 1 more\)$"),
        (
            "labels={annotator: {pool: [1]}}",
            r"labels.annotator.pool: \[1\] is .* placement.labels.annotator.pool=VALUE$",
        ),
    ],
)
def test_a_wrong_value_of_a_mapping_is_told_with_its_key(config_file, override, told):
    with pytest.raises(UserError, match=told):
        load_config(config_file, [f"placement.{override}"])


def test_the_remedy_for_one_number_of_a_list_can_be_followed(config_file):
    """--set takes whole lists, and the remedy named one number of it."""
    wrong = "generate.degraded_distribution.scale_weights"
    with pytest.raises(UserError, match=rf"{wrong}.1: 'a' is not valid: .* --set {wrong}=VALUE"):
        load_config(config_file, [f"{wrong}=[1, a, 3, 4]"])


def test_an_impossible_date_is_just_text(config_file):
    """YAML reads 2026-13-45 as a date and used to end in a traceback."""
    assert load_config(config_file, ["run.url=2026-13-45"]).run.url == "2026-13-45"


def test_an_empty_run_section_still_takes_the_url(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("run:\n")
    assert load_config(str(path), [], "elsewhere").run.url == "elsewhere"


@pytest.mark.parametrize("text", ["- a\n- b", "just words", "a: [1", "\x00", "run: 2026-13-45", "run: words"])
def test_a_file_that_is_no_config_is_one_sentence(tmp_path, text):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        load_config(str(path))
    assert "bad.yaml" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named():
    with pytest.raises(UserError, match=r"nowhere\.yaml does not exist"):
        load_config("nowhere.yaml")


def test_yaml_never_builds_objects(tmp_path):
    path = tmp_path / "evil.yaml"
    path.write_text("run: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(UserError, match="not valid YAML"):
        load_config(str(path))


@pytest.mark.parametrize("place", ["", "s3://bucket/run"])
def test_a_run_in_place_of_a_config_is_refused_with_the_option_that_takes_it(tmp_path, place):
    named = place or str(tmp_path)
    with pytest.raises(UserError, match=f"not a YAML file: to name a run, give --run {named}"):
        load_config(named)


@pytest.mark.parametrize(
    ("scorers", "message"),
    [
        (
            "[model, laplacian]",
            "evaluate.scorers: there is no scorer 'laplacian'; choose among model, label, sharpness",
        ),
        ("[sharpness]", "scorers must name model and no scorer twice, not sharpness"),
        ("[model, model]", "scorers must name model and no scorer twice, not model, model"),
        ("[]", "scorers must name model and no scorer twice, not none"),
    ],
)
def test_wrong_scorers_are_refused_with_the_known_ones(scorers, message):
    with pytest.raises(UserError) as caught:
        load_config(None, [f"evaluate.scorers={scorers}"])
    assert message in str(caught.value)


def test_a_file_with_the_section_train_alone_takes_all_else_from_the_run(tmp_path):
    config, storage = make_run(tmp_path / "run", train={"test_fraction": 0.4})
    own = tmp_path / "mine.yaml"
    own.write_text("train:\n  name: mine\n  method: cr_fiqa\n  network: compact\n")
    options = argparse.Namespace(config=str(own), config_option=None, run=storage.url, set=["train.epochs=7"])
    found = config_of(options)
    assert (found.train.name, found.train.method, found.train.epochs) == ("mine", "cr_fiqa", 7)
    assert found.train.test_fraction == 0.4, "who is held out is the run's"
    assert found.train.width == 16, "no other setting of the run's own training"
    assert (found.run, found.generate, found.label) == (config.run, config.generate, config.label)


def test_its_errors_name_the_file_and_not_the_snapshot_of_the_run(tmp_path):
    _, storage = make_run(tmp_path / "run")
    own = tmp_path / "mine.yaml"
    own.write_text("train:\n  network: resnet\n")
    options = argparse.Namespace(config=str(own), config_option=None, run=storage.url, set=[])
    with pytest.raises(UserError, match=r"train.network: 'resnet' .* correct it in .*mine.yaml"):
        config_of(options)
