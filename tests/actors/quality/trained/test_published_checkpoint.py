"""Published weights without a card are scored by their keys alone."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from synfiqa.actors.quality.trained.quality_model import QualityModel
from synfiqa.fiqa_train.scoring.sources import open_scorer
from synfiqa.fiqa_train.training.checkpoints import load_quality_model
from synfiqa.schemas.errors import UserError
from tests.actors.nets.fiqa.tiny import card_of, tiny

FACES = np.random.default_rng(5).integers(0, 256, (3, 112, 112, 3), np.uint8)


@pytest.mark.parametrize("head", ["linear", "label"])
def test_a_torch_file_of_a_wrapped_network_scores(tmp_path, head):
    network = tiny("iresnet50", head=head)
    wanted = QualityModel(network, card_of("iresnet50", network)).score(FACES)
    path = tmp_path / "32572backbone.pth"
    torch.save({"state_dict": {f"module.{key}": value for key, value in network.state_dict().items()}}, path)
    model = load_quality_model(str(path))
    np.testing.assert_array_equal(model.score(FACES), wanted)
    np.testing.assert_array_equal(open_scorer(str(path)).score(FACES), wanted)
    assert model.card.name == "32572backbone"
    assert (model.card.architecture, model.card.arguments["head"]) == ("fiqa-iresnet", head)
    assert not model.card.commercial_use


def test_a_safetensors_file_without_a_card_scores(tmp_path):
    network = tiny("vit-s")
    save_file({**network.state_dict(), "mask_token": torch.zeros(1, 1, 64)}, tmp_path / "vit.safetensors")
    wanted = QualityModel(network, card_of("vit-s", network)).score(FACES)
    np.testing.assert_array_equal(load_quality_model(str(tmp_path / "vit.safetensors")).score(FACES), wanted)


@pytest.mark.parametrize("key", ["layer3.0.bn2.running_var", "qs.bias", "layer1.0.downsample.0.weight"])
def test_a_missing_key_is_refused_by_name(tmp_path, key):
    state = tiny("iresnet50").state_dict()
    del state[key]
    torch.save(state, tmp_path / "model.pth")
    with pytest.raises(UserError, match=rf"model.pth.*{key}"):
        load_quality_model(str(tmp_path / "model.pth"))


def test_a_recognition_checkpoint_has_no_quality_head(tmp_path):
    state = {key: value for key, value in tiny("iresnet50").state_dict().items() if not key.startswith("qs")}
    torch.save(state, tmp_path / "arcface.pth")
    with pytest.raises(UserError, match=r"arcface.pth: the checkpoint lacks qs.weight"):
        load_quality_model(str(tmp_path / "arcface.pth"))


def test_what_is_no_checkpoint_is_refused(tmp_path):
    (tmp_path / "a.pth").write_bytes(b"hello")
    torch.save([1, 2], tmp_path / "b.pth")
    for name, said in (("a.pth", "no torch checkpoint"), ("b.pth", "holds a list"), ("c.pth", "cannot be read")):
        with pytest.raises(UserError, match=said):
            load_quality_model(str(tmp_path / name))
