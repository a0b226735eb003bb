"""What the bundled quality model promises of a photograph, though it learned from rendered faces alone."""

import pytest
import yaml

from benchmarks.quality.face_bars.photograph import bars_of, ladders
from synfiqa.fiqa_train.training.checkpoints import BUNDLED_FILE, load_quality_model
from synfiqa.schemas.model_card import BUNDLED_QUALITY


@pytest.fixture(scope="module")
def bars():
    """The bars of each ladder of the astronaut, by name."""
    return {bar.name: bar for bar in bars_of(load_quality_model(BUNDLED_QUALITY), dict(ladders()))}


def test_the_file_is_the_one_of_its_card():
    card = yaml.safe_load(BUNDLED_FILE.with_suffix(".yaml").read_text())
    model = load_quality_model(BUNDLED_QUALITY)
    assert (card["name"], card["sha256"]) == (BUNDLED_QUALITY, model.card.sha256)
    assert model.card.metrics["spearman"] > 0.8


@pytest.mark.parametrize("ladder", ["blur", "resolution", "noise", "lower-face occlusion"])
def test_the_score_falls_along_a_ladder_of_a_photograph(bars, ladder):
    bar = bars[f"{ladder}: Spearman with the step"]
    assert bar.value <= -0.9, bar.note


def test_sunglasses_lower_the_score(bars):
    assert bars["sunglasses: change of the score"].value < 0
