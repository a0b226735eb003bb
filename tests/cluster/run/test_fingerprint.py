import pytest

from synfiqa.cluster.run import fingerprint
from synfiqa.cluster.run.fingerprint import canonical_json, differences, recipe_document
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.model_card import ModelCard

MODELS = {"bundled-a": "1" * 64, "bundled-clip": "2" * 64}


def recipe_fingerprint(config, models, device="cpu"):
    return fingerprint.recipe_fingerprint(recipe_document(config, models, device))


def config(**sections):
    return RunConfig.model_validate(sections)


def test_the_same_recipe_has_the_same_fingerprint_wherever_it_runs():
    reference = recipe_fingerprint(config(), MODELS)
    elsewhere = config(run={"url": "s3://b/x"}, placement={"workers": 9, "mode": "split"}, train={"epochs": 1})
    assert recipe_fingerprint(elsewhere, dict(reversed(MODELS.items()))) == reference
    assert recipe_fingerprint(config(generate={"degraded_distribution": {"yaw_std": 28}}), MODELS) == reference


@pytest.mark.parametrize(
    "section",
    [
        {"run": {"seed": 1}},
        {"generate": {"micro_batch": 9}},
        {"generate": {"degraded_distribution": {"yaw_std": 28.000001}}},
        {"filter": {"max_yaw": 19}},
        {"models": {"embedder": "bundled-b"}},
        {"models": {"mirrored_recognition": True}},
        {"storage": {"format": "webdataset"}},
        {"storage": {"portraits": True}},
    ],
)
def test_whatever_changes_bytes_changes_the_fingerprint(section):
    assert recipe_fingerprint(config(**section), MODELS) != recipe_fingerprint(config(), MODELS)


def test_a_run_without_mirrored_recognition_is_the_run_it_was_before_that_was_known():
    assert "mirrored_recognition" not in recipe_document(config(), MODELS)["models"]
    assert recipe_document(config(models={"mirrored_recognition": True}), MODELS)["models"]["mirrored_recognition"]


def test_a_run_without_portraits_is_the_run_it_was_before_that_was_known():
    assert recipe_document(config(), MODELS)["storage"] == {"format": "parquet"}
    assert recipe_document(config(storage={"portraits": True}), MODELS)["storage"]["portraits"]


def test_portraits_are_kept_of_rendered_samples_alone():
    with pytest.raises(ValueError, match=r"set storage.portraits to false, or render the samples"):
        config(storage={"portraits": True}, models={"conditional_generator": "diffusion", "conditional_diffusion": "x"})


def test_other_weights_under_the_same_name_change_the_fingerprint():
    assert recipe_fingerprint(config(), MODELS | {"bundled-a": "3" * 64}) != recipe_fingerprint(config(), MODELS)


def test_canonical_json_knows_no_order_and_no_infinity():
    assert canonical_json({"b": (1, 2.5), "a": "é"}) == canonical_json({"a": "é", "b": [1, 2.5]})
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": float("inf")})


def test_differences_are_named_by_field_with_old_and_new_value():
    old = recipe_document(config(), MODELS)
    changed = config(generate={"identities": 80, "degraded_distribution": {"yaw_std": 1}}, models={"embedder": "mine"})
    new = recipe_document(changed, {"bundled-clip": "2" * 64, "mine": "4" * 64})
    assert differences(old, new) == [
        "generate.degraded_distribution.yaw_std: 28.0 -> 1.0",
        "generate.identities: 64 -> 80",
        f"model_digests.bundled-a: {'1' * 64} -> (absent)",
        f"model_digests.mine: (absent) -> {'4' * 64}",
        "models.embedder: bundled-a -> mine",
    ]
    assert differences(old, old) == []


def test_a_missing_section_and_a_missing_value_are_told_apart():
    assert differences({"a": {}}, {"a": {"b": None}}) == ["a: {} -> (absent)", "a.b: (absent) -> null"]


def test_what_is_made_on_a_gpu_or_with_other_libraries_is_another_dataset(monkeypatch):
    """Floats differ in their last bits there, and a resumed run would mix both."""
    reference = recipe_fingerprint(config(), MODELS)
    assert recipe_fingerprint(config(), MODELS, "cuda") != reference
    monkeypatch.setattr(fingerprint, "version", lambda name: "99.0")
    assert recipe_fingerprint(config(), MODELS) != reference
    new = recipe_document(config(), MODELS)
    monkeypatch.undo()
    assert any(
        line.startswith("libraries.torch: ") and line.endswith(" -> 99.0")
        for line in differences(recipe_document(config(), MODELS), new)
    )


def test_what_a_run_puts_up_with_is_not_in_its_recipe():
    patient = config(resilience={"max_dead_rate": 0.5, "max_attempts": 9, "lease_s": 5, "retry_budget_s": 1})
    assert recipe_fingerprint(patient, MODELS) == recipe_fingerprint(config(), MODELS)


def card(**changes):
    fields = {
        "name": "mine",
        "role": "embedder",
        "architecture": "adaface-ir",
        "sha256": "4" * 64,
        "input_size": 112,
        "channels": "rgb",
        "value_range": (-1.0, 1.0),
        "output": "unit vector",
        "licence": "MIT",
        "commercial_use": True,
    }
    return ModelCard(**(fields | changes))


@pytest.mark.parametrize(
    "change", [{"channels": "bgr"}, {"value_range": (0.0, 1.0)}, {"input_size": 96}, {"arguments": {"depth": 50}}]
)
def test_the_same_weights_fed_differently_are_another_recipe(change):
    old, new = (recipe_document(config(), MODELS, cards=[card(**update)]) for update in ({}, change))
    assert fingerprint.recipe_fingerprint(old) != fingerprint.recipe_fingerprint(new)
    assert any(line.startswith(f"model_inputs.mine.{name}") for name in change for line in differences(old, new))


def test_what_a_card_says_beside_its_input_is_no_recipe():
    first, second = (
        recipe_document(config(), MODELS, cards=[card(licence=licence)]) for licence in ("MIT", "Apache-2.0")
    )
    assert fingerprint.recipe_fingerprint(first) == fingerprint.recipe_fingerprint(second)
