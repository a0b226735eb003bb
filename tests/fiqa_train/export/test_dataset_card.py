import yaml

from synfiqa.fiqa_train.export.dataset_card import dataset_card
from synfiqa.schemas.manifest import RunManifest
from synfiqa.schemas.model_card import ModelCard


def card(name: str, licence: str = "MIT", *, commercial: bool = True, role: str = "embedder") -> ModelCard:
    return ModelCard(
        name=name,
        role=role,
        architecture="adaface-ir",
        source="built-in" if name == "code-only" else "w.pth",
        sha256="" if name == "code-only" else "a" * 64,
        input_size=112,
        channels="bgr",
        value_range=(-1, 1),
        output="unit vector (512,)",
        licence=licence,
        commercial_use=commercial,
    )


def text(*cards: ModelCard) -> str:
    manifest = RunManifest(
        fingerprint="f" * 64,
        recipe={"seed": 7},
        config={},
        code_version="0.1.0",
        models={entry.name: entry.sha256 for entry in cards if entry.sha256},
        cards=cards,
        versions={},
        created="2026-11-22T00:00:00+00:00",
    )
    return dataset_card(manifest, images=120, labels=100, label_name="default")


def rows(*cards: ModelCard) -> list[str]:
    return [line for line in text(*cards).splitlines() if line.startswith("| ") and not line.startswith("| model")]


def test_the_front_matter_is_what_dataset_hubs_read():
    _, front, _ = text(card("a")).split("---\n", 2)
    assert yaml.safe_load(front) == {
        "license": "other",
        "task_categories": ["image-classification"],
        "tags": ["face-image-quality", "synthetic"],
    }


def test_it_says_what_is_in_the_dataset_and_how_to_make_it_again():
    said = text(card("a"))
    assert "120 aligned 112 x 112 faces of people who do not exist, 100 of them degraded" in said
    assert "labels `default`, higher is better" in said
    assert f"recipe fingerprint `{'f' * 64}`, seed 7" in said
    assert "synfiqa 0.1.0, first submitted 2026-11-22T00:00:00+00:00" in said


def test_every_model_has_a_row_with_its_licence_and_digest():
    assert rows(card("a", "Apache-2.0"), card("b", "CC BY-NC 4.0", commercial=False, role="image_text")) == [
        f"| a | embedder | Apache-2.0 | yes | `{'a' * 16}` |",
        f"| b | image_text | CC BY-NC 4.0 | no | `{'a' * 16}` |",
    ]


def test_code_has_no_digest():
    assert rows(card("code-only", "Apache-2.0")) == ["| code-only | embedder | Apache-2.0 | yes | `code` |"]


def test_a_licence_cannot_break_the_table():
    (row,) = rows(card("a", "MIT | or | BSD"))
    assert row.replace("\\|", "").count("|") == 6
    assert "MIT \\| or \\| BSD" in row


def test_the_verdict_names_every_model_that_bars_commercial_use():
    said = text(card("a"), card("b", "CC BY-NC 4.0", commercial=False), card("c", "FLAME", commercial=False))
    assert "**Not for commercial use**: the licences of b, c do not allow it." in said
    assert "allow commercial use." not in said


def test_the_verdict_is_positive_only_if_all_licences_are():
    said = text(card("a"), card("b", "Apache-2.0"))
    assert "The licences of all models that made this dataset allow commercial use." in said
    assert "Not for commercial use" not in said


def test_a_run_without_recorded_licences_claims_nothing():
    said = text()
    assert "The licences of the models were not recorded when this run was made." in said
    assert "allow commercial use" not in said
