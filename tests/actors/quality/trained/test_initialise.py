"""Quality networks start from recognition networks: the same embeddings, in spite of other channels and ranges."""

import pytest
import torch

from synfiqa.actors.imaging.preprocess import network_input
from synfiqa.actors.model_store.catalogue import Catalogue
from synfiqa.actors.model_store.checks.canary import canary_images
from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.actors.nets import adaface
from synfiqa.actors.nets.adaface import AdaFaceIR
from synfiqa.actors.nets.insightface import IResNet
from synfiqa.actors.nets.quality_net import QualityNet
from synfiqa.actors.nets.small_iresnet import SmallIResNet
from synfiqa.actors.quality.trained.initialise import copy_trunk, initialise_from_embedder
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard
from tests.actors.nets.fiqa.tiny import SMALL_IRESNET, card_of, tiny

RGB = {"channels": "rgb", "value_range": (-1.0, 1.0)}
SMALL = {"widths": (8, 8, 8, 8), "blocks": (1, 1, 1, 1), "embedding_dim": 6}


def embedder_card(architecture="insightface-iresnet", **fields) -> ModelCard:
    described = {
        "name": "arcface",
        "role": "embedder",
        "architecture": architecture,
        "source": "random:0",
        "input_size": 112,
        "output": "unit vector",
        "licence": "MIT",
        "commercial_use": True,
        **RGB,
    }
    return ModelCard(**{**described, **fields})


def filled(network, seed=3):
    network.load_state_dict(random_state(network, seed, gain=1.0))
    return network.eval()


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_an_iresnet_keeps_its_embeddings(channels):
    source, network = filled(IResNet(**SMALL_IRESNET)), tiny("iresnet50", seed=8)
    head = network.qs.weight.clone()
    card = embedder_card(channels=channels)
    copied = copy_trunk(network, source, card)
    assert copied == sorted(key for key in network.state_dict() if not key.startswith("qs."))
    assert torch.equal(network.qs.weight, head)
    images = canary_images()
    with torch.inference_mode():
        wanted = source(network_input(images, card))
        found = network.embed_and_score(network_input(images, card_of("iresnet50", network)))[0]
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_the_range_of_magface_is_converted_but_for_the_outermost_ring():
    """There the padding is 0 of another range."""
    source, network = filled(IResNet(**SMALL_IRESNET)), tiny("iresnet50", seed=8)
    card = embedder_card(channels="bgr", value_range=(0.0, 1.0))
    copy_trunk(network, source, card)
    images = canary_images()
    with torch.inference_mode():
        wanted = source.bn1(source.conv1(network_input(images, card)))
        found = network.bn1(network.conv1(network_input(images, card_of("iresnet50", network))))
    torch.testing.assert_close(found[..., 1:-1, 1:-1], wanted[..., 1:-1, 1:-1], rtol=1e-4, atol=1e-5)


def test_adaface_keeps_its_embeddings(monkeypatch):
    """Where its shortcut subsamples, a convolution by the identity matrix does the same."""
    monkeypatch.setattr(adaface, "WIDTHS", (8, 8, 16, 16))
    monkeypatch.setattr(adaface, "BLOCKS", {18: (2, 1, 1, 1)})
    with pytest.raises(UserError, match=r"cannot start from arcface: .* instead of"):
        copy_trunk(tiny("iresnet50"), AdaFaceIR(18), embedder_card("adaface-ir", channels="bgr"))
    monkeypatch.setattr(adaface, "WIDTHS", (4, 8, 16, 32))
    monkeypatch.setattr(adaface, "BLOCKS", {18: (2, 1, 3, 1)})
    source = filled(AdaFaceIR(18))
    network = tiny("iresnet50", layers=[2, 1, 3, 1], widths=[4, 8, 16, 32], embedding_dim=512)
    card = embedder_card("adaface-ir", channels="bgr")
    copy_trunk(network, source, card)
    images = canary_images()
    with torch.inference_mode():
        wanted = source(network_input(images, card))
        found = network.embed_and_score(network_input(images, card_of("iresnet50", network)))[0]
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3)


def test_small_trunks_start_from_a_small_recognition_network():
    source, network = filled(SmallIResNet(3, **SMALL)), tiny("compact", seed=8)
    copied = copy_trunk(network, source, embedder_card("small-iresnet"))
    assert len(copied) == len(source.state_dict())
    x = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        torch.testing.assert_close(network.embed_and_score(x)[0], source(x), rtol=1e-4, atol=1e-5)
    gray = QualityNet(SMALL["widths"], SMALL["blocks"])
    grown = copy_trunk(gray, filled(SmallIResNet(1, **SMALL)), embedder_card("small-iresnet"))
    assert not any(key.startswith(("project.", "norm.", "head.", "score.")) for key in grown)


def test_the_trunk_starts_as_the_recognition_network():
    torch.manual_seed(1)
    source, network = SmallIResNet(1, (4, 8, 8, 8)), QualityNet((4, 8, 8, 8))
    copy_trunk(network, source, embedder_card("small-iresnet"))
    source.eval(), network.eval()
    x = torch.randn(2, 1, 112, 112)
    torch.testing.assert_close(network.stages(network.stem(x)), source.feature_map(x), rtol=1e-4, atol=1e-5)
    with pytest.raises(UserError):
        copy_trunk(QualityNet((8, 8, 8, 8)), source, embedder_card("small-iresnet"))


def test_the_bundled_embedder_starts_the_grey_network():
    model = Catalogue.load().model("bundled-a", "embedder")
    arguments = model.card.arguments
    network = QualityNet(arguments["widths"], arguments["blocks"])
    before = {key: value.clone() for key, value in network.state_dict().items()}
    copied = initialise_from_embedder(network, model)
    assert "stem.0.weight" in copied
    assert not torch.equal(network.stem[0].weight, before["stem.0.weight"])
    with pytest.raises(UserError, match=r"stem.0.weight is \[\d+, 1, 3, 3\] instead of \[8, 3, 3, 3\]"):
        initialise_from_embedder(tiny("compact"), model)
    with pytest.raises(UserError, match="another kind of trunk"):
        initialise_from_embedder(tiny("vit-s"), model)


def test_what_is_no_embedder_is_refused():
    model = Catalogue.load().model("bundled-quality", "quality")
    with pytest.raises(UserError, match="plays the role quality"):
        initialise_from_embedder(tiny("compact"), model)


def test_a_trunk_of_another_size_is_refused_before_anything_is_copied():
    network = tiny("iresnet50")
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(UserError, match=r"conv1.weight is \[4, 3, 3, 3\] instead of \[8, 3, 3, 3\]"):
        copy_trunk(network, IResNet(layers=(1, 2, 1, 1), widths=(4, 8, 8, 16)), embedder_card())
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
