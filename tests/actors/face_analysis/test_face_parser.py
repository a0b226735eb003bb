import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from synfiqa.actors.face_analysis.face_parser import NOT_FACE, FaceParser
from synfiqa.actors.imaging.preprocess import IMAGENET_MEAN, IMAGENET_STD
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.rehearsal import random_state, write_rehearsal
from synfiqa.actors.nets.bisenet import BiSeNet
from synfiqa.actors.roles import PARTS
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard, StateRules

RULES = StateRules(
    unwrap=("state_dict", "model"), strip=("module.",), allow_unexpected=("conv_out16.*", "conv_out32.*")
)
CARD = ModelCard(
    name="parser",
    role="face_parser",
    architecture="bisenet-r18",
    source="79999_iter.pth",
    sha256="0" * 64,
    input_size=256,
    channels="rgb",
    value_range=None,
    normalise="imagenet",
    output="class of every pixel, 0..18",
    licence="MIT; data CelebAMask-HQ non-commercial",
    commercial_use=False,
)
RUNNING = Execution(micro_batch=2)


@pytest.fixture(scope="module")
def state():
    with torch.device("meta"):
        network = BiSeNet()
    return random_state(network, seed=1, gain=1.0)


@pytest.fixture(scope="module")
def weights(state, tmp_path_factory):
    """As published: with the heads that only training uses."""
    path = tmp_path_factory.mktemp("parser") / "79999_iter.pth"
    heads = {f"conv_out{scale}.conv_out.weight": torch.ones(19, 64, 1, 1) for scale in (16, 32)}
    torch.save({**state, **heads}, path)
    return path


@pytest.fixture
def parser(weights):
    return FaceParser(CARD, weights, RUNNING)


@pytest.fixture(scope="module")
def portraits():
    return np.random.default_rng(1).integers(0, 256, (3, 64, 48, 3), dtype=np.uint8)


def test_classes_are_those_of_the_network_at_native_size(parser, state, portraits):
    network = BiSeNet().eval()
    network.load_state_dict(state)
    pixels = torch.from_numpy(portraits).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.inference_mode():
        wanted = network((pixels - mean) / std).argmax(1).numpy()
    found = parser.parts(portraits)
    assert (found.dtype, found.shape) == (np.uint8, (3, 64, 48))
    assert (found == wanted).mean() > 0.999
    assert len(np.unique(found)) > 1


def test_all_but_the_face_becomes_white(parser, portraits, monkeypatch):
    parts = np.arange(64 * 48).reshape(1, 64, 48).repeat(3, axis=0) % len(PARTS)
    monkeypatch.setattr(parser, "parts", lambda images: parts)
    before = portraits.copy()
    white = parser.white_out(portraits)
    for part in range(len(PARTS)):
        chosen = parts == part
        assert (white[chosen] == (255 if part in NOT_FACE else portraits[chosen])).all()
    assert np.array_equal(portraits, before)


def test_glasses_brows_and_mouth_stay_while_hair_and_neck_go():
    gone = {PARTS[index] for index in NOT_FACE}
    assert gone == {
        *("background", "left ear", "right ear", "earring", "neck", "necklace", "cloth", "hair", "hat"),
    }


def test_a_result_does_not_depend_on_its_batch(parser, portraits):
    assert np.array_equal(parser.parts(portraits[2:]), parser.parts(portraits)[2:])
    assert parser.parts(portraits[:0]).shape == (0, 64, 48)


def test_a_foreign_file_is_named(tmp_path, state):
    path = tmp_path / "other.pth"
    torch.save({key: value for key, value in state.items() if not key.startswith("ffm")}, path)
    with pytest.raises(UserError, match=r"'parser' \(other.pth\) does not fit .*keys are missing \(ffm"):
        FaceParser(CARD, path, RUNNING)


def test_the_rehearsal_weights_of_the_store_fit(tmp_path, portraits):
    rehearsed = CARD.model_copy(update={"source": "random:2", "sha256": ""})
    path = write_rehearsal(rehearsed, tmp_path, seed=2)
    assert load_file(path)["conv_out.conv_out.weight"].shape == (19, 256, 1, 1)
    assert FaceParser(rehearsed, path, RUNNING).white_out(portraits).shape == portraits.shape
