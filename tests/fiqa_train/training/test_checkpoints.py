"""Models on disk: what is published loads from anywhere a user may point, and nothing foreign loads at all."""

import hashlib
import pickle

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from synfiqa.actors.model_store.catalogue import bundled
from synfiqa.actors.nets.quality_net import QualityNet
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.training import checkpoints
from synfiqa.fiqa_train.training.checkpoints import dump_state, load_quality_model, load_trained, parse_state, publish
from synfiqa.fiqa_train.training.engine.build_network import describe
from synfiqa.fiqa_train.training.score_scale import score_scale
from synfiqa.schemas.config.train_config import TrainSection
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import BUNDLED_QUALITY

SECTION = TrainSection(width=4, initialise="random")
CARD = describe(SECTION, None, "synthetic faces of run abc")
FACES = np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3), np.uint8)


@pytest.fixture
def run(tmp_path):
    storage = Storage(str(tmp_path / "run"))
    storage.write("run.json", b"{}")
    add_model(storage, "default", seed=0)
    return storage


def add_model(storage, name, seed):
    torch.manual_seed(seed)
    network = QualityNet(**CARD["arguments"])
    publish(storage, name, network.state_dict(), {**CARD, "name": name})
    storage.write(f"models/{name}/metrics.json", b"{}")
    storage.write(f"models/{name}/checkpoints/last/state.pt", dump_state({"card": CARD, "best": network.state_dict()}))
    return network


def test_every_way_to_name_a_model_gives_the_same_scores(run):
    root = run.url
    ways = [root, root + "/", f"{root}/models/default", f"{root}/models/default/model.safetensors"]
    ways += [f"{root}/models/default/checkpoints/last", f"file://{root}/models/default"]
    scores = [load_quality_model(way).score(FACES) for way in ways]
    assert scores[0].shape == (5,)
    assert np.ptp(scores[0]) > 0
    for other in scores[1:]:
        np.testing.assert_array_equal(scores[0], other)
    np.testing.assert_array_equal(load_trained(run, "default").score(FACES), scores[0])


def test_a_weights_file_works_without_its_card(run, tmp_path):
    alone = tmp_path / "mine.safetensors"
    alone.write_bytes(run.read("models/default/model.safetensors"))
    model = load_quality_model(str(alone))
    assert model.card.sha256 == hashlib.sha256(alone.read_bytes()).hexdigest()
    assert model.card.channels == "gray"


def test_the_card_states_the_digest_and_a_mismatch_is_refused(run):
    path = "models/default/model.yaml"
    card = yaml.safe_load(run.read(path))
    assert card["sha256"] == hashlib.sha256(run.read("models/default/model.safetensors")).hexdigest()
    run.write(path, yaml.safe_dump({**card, "sha256": "0" * 64}).encode())
    with pytest.raises(UserError, match="differ from their card"):
        load_quality_model(run.url)


def test_of_several_models_the_default_is_meant(run):
    add_model(run, "other", seed=1)
    both = [load_quality_model(f"{run.url}/models/{name}").score(FACES) for name in ("default", "other")]
    assert not np.array_equal(*both)
    np.testing.assert_array_equal(load_quality_model(run.url).score(FACES), both[0])
    run.delete("models/default/metrics.json")
    np.testing.assert_array_equal(load_quality_model(run.url).score(FACES), both[1])
    add_model(run, "third", seed=2)
    with pytest.raises(UserError, match="several models"):
        load_quality_model(run.url)


def test_an_unfinished_training_is_no_model(run):
    run.delete("models/default/metrics.json")
    with pytest.raises(UserError, match="no finished model"):
        load_quality_model(run.url)
    with pytest.raises(UserError, match="no finished model"):
        load_trained(run, "default")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no safetensors"), (b"hello world, hello", "no safetensors"), (pickle.dumps([1]), "no safetensors")],
)
def test_foreign_bytes_are_one_sentence(tmp_path, content, message):
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(UserError, match=message):
        load_quality_model(str(tmp_path / "model.safetensors"))


def test_other_networks_are_refused(tmp_path):
    save_file({"a": torch.zeros(2)}, str(tmp_path / "other.safetensors"))
    with pytest.raises(UserError, match="no quality model"):
        load_quality_model(str(tmp_path / "other.safetensors"))
    for missing in (tmp_path / "absent", tmp_path / "absent.safetensors"):
        with pytest.raises(UserError):
            load_quality_model(str(missing))


def test_a_state_that_would_run_code_is_never_unpickled(tmp_path):
    class Evil:
        def __reduce__(self):
            return (tmp_path.joinpath("owned").touch, ())

    (tmp_path / "state.pt").write_bytes(pickle.dumps(Evil(), protocol=2))
    with pytest.raises(UserError, match="no checkpoint"):
        load_quality_model(str(tmp_path))
    torch.save({"card": Evil()}, tmp_path / "state.pt")
    with pytest.raises(UserError, match="no checkpoint"):
        load_quality_model(str(tmp_path))
    assert not (tmp_path / "owned").exists()


def test_a_state_survives_the_round_trip():
    state = {"epoch": 3, "history": [{"loss": 0.5}], "model": {"w": torch.arange(3.0)}, "card": CARD}
    again = parse_state(dump_state(state))
    assert again["history"] == state["history"]
    assert again["card"] == CARD
    assert torch.equal(again["model"]["w"], state["model"]["w"])


def test_only_aligned_faces_are_scored(run):
    model = load_quality_model(run.url)
    assert model.score(FACES[:0]).shape == (0,)
    for wrong in (FACES[:, :100], FACES.astype(np.float32), FACES[0]):
        with pytest.raises(ValueError, match="uint8 RGB"):
            model.score(wrong)


def test_without_the_bundled_model_both_ways_out_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "BUNDLED_FILE", tmp_path / "bundled-quality.safetensors")
    with pytest.raises(UserError, match=r"--model RUN, or make it with `synfiqa bootstrap --part quality`"):
        load_quality_model(BUNDLED_QUALITY)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "is a Git LFS pointer"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html><body>Sign in</body></html>", "is a web page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "is an XML page"),
    ],
)
def test_what_a_download_left_in_place_of_weights_is_named(content, named, tmp_path):
    """A pointer or a page was "no safetensors file", or "holds Python objects"."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"{named}.* fetch"):
        load_quality_model(str(path))


def test_weights_that_are_not_finite_are_refused(run):
    """Weights with one NaN scored every face "nan", and the command ended well."""
    torch.manual_seed(0)
    weights = QualityNet(**CARD["arguments"]).state_dict()
    weights["score.bias"] = torch.tensor([float("nan")])
    publish(run, "broken", weights, CARD)
    with pytest.raises(UserError, match=r"hold NaN or infinity \(score.bias\)"):
        load_quality_model(run.url + "/models/broken")


def test_the_prefix_of_a_wrapped_network_is_named(run):
    """A network saved inside DataParallel was "7 keys are missing"."""
    weights = {f"module.{key}": value for key, value in QualityNet(**CARD["arguments"]).state_dict().items()}
    publish(run, "wrapped", weights, CARD)
    with pytest.raises(UserError, match=r"all keys begin with 'module\.'"):
        load_quality_model(run.url + "/models/wrapped")


def test_the_scale_travels_with_the_weights(run):
    torch.manual_seed(0)
    scale = score_scale(np.linspace(0, 1, 11), "a line")
    card = {**CARD, "scale": scale.model_dump(mode="json")}
    publish(run, "scaled", QualityNet(**CARD["arguments"]).state_dict(), card)
    assert load_quality_model(run.url + "/models/scaled").card.scale == scale
    assert load_quality_model(run.url + "/models/scaled/model.safetensors").card.scale == scale
    assert load_quality_model(run.url + "/models/default").card.scale is None


def test_the_bundled_model_has_the_scale_of_its_card():
    """Its weights file was published before there were scales, and must stay as it is."""
    scale = load_quality_model(BUNDLED_QUALITY).card.scale
    assert scale == bundled()[BUNDLED_QUALITY].card.scale
    assert scale.samples >= 400
    assert "validation" in scale.origin
    assert 5 < scale.percentile(0.25) < 15, "the first threshold that --help names"
