"""The leaderboard of a small trained run: every row on every set, and what cannot be had is named."""

import json
import shutil

import cv2
import numpy as np
import pytest

from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.leaderboard import build as building
from synfiqa.fiqa_train.leaderboard.board_rows import finished_models
from synfiqa.fiqa_train.leaderboard.build import QUICK_RESAMPLES, build_leaderboard
from synfiqa.fiqa_train.leaderboard.sets import named_sources
from synfiqa.fiqa_train.leaderboard.spreads import seed_groups
from synfiqa.schemas.config.leaderboard_config import LeaderboardConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.evaluation import JUDGE
from tests.fiqa_train.evaluation.test_evaluate_run import Detail, trained_once  # noqa: F401
from tests.fiqa_train.labelled_run import blurred, portrait

SCORERS = ["model", "label", "sharpness", "random"]


@pytest.fixture
def trained(trained_once, tmp_path, monkeypatch):  # noqa: F811
    config, folder = trained_once
    shutil.copytree(folder, tmp_path / "run")
    monkeypatch.setattr(building, "load_embedder", lambda model: Detail(model.name))
    config = config.model_copy(update={"run": config.run.model_copy(update={"url": str(tmp_path / "run")})})
    return config, Storage(str(tmp_path / "run"))


def page(**changes):
    evaluate = {"scorers": SCORERS, "fmr": [0.05], "bootstrap": 4, "judges": ["bundled-b"]}
    return LeaderboardConfig.model_validate({"evaluate": evaluate | changes.pop("evaluate", {}), **changes})


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A folder of six people with six aligned faces each, ever more blurred."""
    folder = tmp_path_factory.mktemp("people")
    for person in range(6):
        (folder / f"person{person}").mkdir()
        for number in range(6):
            image = blurred(portrait(person), number).astype(np.uint8)
            cv2.imwrite(str(folder / f"person{person}" / f"{number}.png"), image[..., ::-1])
    return folder


def test_every_row_stands_on_every_set(trained, people):
    config, storage = trained
    found = build_leaderboard(page(), config, storage, [f"people={people}"])
    assert [figures.name for figures in found.sets] == ["run", "people"]
    own, other = found.sets
    assert (own.images, own.identities) == (80, 8)
    assert found.scorers == ["default", "sharpness", "random", "label"]
    for result in own.results:
        assert set(result.methods) == {*found.scorers, JUDGE}
        assert result.methods["label"].pauc < result.methods["random"].pauc
        assert [(each.method, each.other) for each in result.differences] == [
            ("default", "sharpness"),
            ("default", "label"),
        ]
    assert own.results[0].methods[JUDGE].pauc < own.results[0].methods["random"].pauc
    assert all(set(result.methods) == {"default", "sharpness", "random"} for result in other.results), "no labels there"
    assert {result.mode for result in own.results} == {"leaderboard", "iso"}
    assert found.left_out == []
    assert found.published


def test_what_cannot_be_had_is_left_out_and_named(trained, tmp_path):
    config, storage = trained
    chosen = page(models=["default", "absent"], evaluate={"judges": ["bundled-b", "nobody"]}, published=False)
    found = build_leaderboard(chosen, config, storage, [f"gone={tmp_path / 'gone'}"])
    words = "\n".join(found.left_out)
    for each in ("model absent: the run has no finished model", "judge nobody", "set gone", "does not exist"):
        assert each in words
    assert found.published == []
    assert found.scorers[0] == "default"


def test_a_scorer_of_portraits_is_left_out_of_sets_of_crops_and_timed_with_its_cut(trained):
    config, storage = trained
    chosen = page(evaluate={"scorers": ["model", "sharpness", "random", "bundled-dsl"]}, costs=True)
    found = build_leaderboard(chosen, config, storage, [], quick=True)
    assert "scorer bundled-dsl on run: it scores portraits, and this set has crops" in found.left_out
    assert all("bundled-dsl" not in result.methods for figures in found.sets for result in figures.results)
    assert next(cost for cost in found.costs if cost.scorer == "bundled-dsl").single_per_s > 0


def test_a_path_of_no_known_format_and_a_doubled_name_are_refused(trained, tmp_path):
    config, storage = trained
    (tmp_path / "notes.txt").write_text("no faces")
    with pytest.raises(UserError, match="no known format"):
        build_leaderboard(page(), config, storage, [f"notes={tmp_path / 'notes.txt'}"])
    with pytest.raises(UserError, match="the run's own held-out"):
        named_sources({}, ["run=/somewhere"])
    assert named_sources({"lfw": "/a", "cfp": "/b"}, ["lfw=/c"]) == ["cfp=/b", "lfw=/c"], "the option wins"


def test_the_labelling_network_never_judges_alone(trained):
    config, storage = trained
    with pytest.raises(UserError, match="no judge is left that did not make the labels"):
        build_leaderboard(page(evaluate={"judges": ["bundled-a"]}), config, storage, [])


def test_quick_takes_fewer_people_and_resamples_and_as_many_scorers(trained, monkeypatch):
    config, storage = trained
    monkeypatch.setattr(building, "QUICK_PEOPLE", 4)
    whole = build_leaderboard(page(evaluate={"bootstrap": 50}), config, storage, [])
    quick = build_leaderboard(page(evaluate={"bootstrap": 50}), config, storage, [], quick=True)
    assert (whole.sets[0].identities, quick.sets[0].identities) == (8, 4)
    assert quick.scorers == whole.scorers
    method = quick.sets[0].results[0].methods["default"]
    assert method.interval.resamples == QUICK_RESAMPLES
    assert quick.quick
    assert not whole.quick


def test_models_that_differ_in_their_seed_are_grouped_with_their_spread(trained):
    config, storage = trained
    folder = storage.url + "/models"
    for seed in (0, 1):
        shutil.copytree(f"{folder}/default", f"{folder}/small-s{seed}")
        path = f"models/small-s{seed}/metrics.json"
        storage.write(path, json.dumps(json.loads(storage.read(path)) | {"name": f"small-s{seed}"}).encode())
    assert finished_models(storage) == ["default", "small-s0", "small-s1"]
    assert seed_groups(["default", "small-s0", "small-s1", "other-s3"]) == {"small": ["small-s0", "small-s1"]}
    found = build_leaderboard(page(), config, storage, [])
    assert {(spread.group, tuple(spread.members)) for spread in found.spreads} == {("small", ("small-s0", "small-s1"))}
    assert all(spread.low == spread.high == pytest.approx(spread.mean) for spread in found.spreads), "the same weights"


def test_nothing_to_compare_is_refused(trained):
    config, storage = trained
    with pytest.raises(UserError, match=r"no scorer of evaluate\.scorers"):
        build_leaderboard(page(models=["absent"], evaluate={"scorers": ["model", "label"]}), config, storage, [])


def test_scores_of_another_tool_are_rows_of_their_sets(trained, people, tmp_path):
    config, storage = trained
    images = sorted(path.relative_to(people) for path in people.rglob("*.png"))
    (tmp_path / "other.csv").write_text("\n".join(["path,score", *(f"{path},-{path.stem}" for path in images)]))
    scores = [f"people:lightqnet={tmp_path / 'other.csv'}"]
    found = build_leaderboard(page(), config, storage, [f"people={people}"], scores=scores)
    own, other = found.sets
    assert found.scorers[-1] == "lightqnet"
    assert "lightqnet" not in own.results[0].methods
    assert other.results[0].methods["lightqnet"].pauc is not None
    assert [one.name for one in other.score_files] == ["lightqnet"]
    with pytest.raises(UserError, match="has no score for 80 of 80 images of run"):
        build_leaderboard(page(), config, storage, [], scores=[f"lightqnet={tmp_path / 'other.csv'}"])


def test_agreement_and_speed_are_measured_and_compared_with_simple_measures(trained, monkeypatch):
    monkeypatch.setattr("synfiqa.fiqa_train.leaderboard.scorer_costs.QUICK_BUDGET_S", 0.02)
    config, storage = trained
    found = build_leaderboard(page(costs=True), config, storage, [], quick=True)
    assert [cost.scorer for cost in found.costs] == ["default", "sharpness", "random"]
    own = found.sets[0]
    assert own.correlation.scorers == ["default", "sharpness", "random", "label"]
    assert own.correlation.values[1][3] > 0.5, "the label of these faces is their blur"
    for result in own.results:
        if not result.few_carriers and (own_pauc := result.methods["default"].pauc) is not None:
            simple = min(result.methods[name].pauc for name in ("sharpness", "random"))
            stated = [one for one in found.beaten if (one.mode, one.fmr) == (result.mode, result.fmr)]
            assert [one.method for one in stated] == (["default"] if simple < own_pauc else [])
    assert build_leaderboard(page(), config, storage, [], quick=True).costs == []
