import hashlib
import shutil

import pytest
import torch

from actors import model_zoo
from actors.embedding import BundledEmbedder
from actors.image_text import BundledImageText
from actors.model_zoo import WEIGHTS_DIR, bundled_models, load_card, load_weights, model_digests, weights_path
from cluster.errors import UserError
from schemas.config import RunConfig

NAMES = {"bundled-a": "embedder", "bundled-b": "embedder", "bundled-clip": "image_text"}


@pytest.fixture
def copied(tmp_path):
    for path in WEIGHTS_DIR.glob("bundled-*"):
        shutil.copy(path, tmp_path)
    return tmp_path


def test_three_models_are_bundled_and_play_their_roles():
    assert {name: card.role for name, card in bundled_models().items()} == NAMES


@pytest.mark.parametrize("name", list(NAMES))
def test_card_describes_the_file_beside_it(name):
    card, path = load_card(name), weights_path(name)
    assert card.name == name
    assert hashlib.sha256(path.read_bytes()).hexdigest() == card.sha256
    assert card.licence
    assert card.command.startswith("python -m fiqa_train.bootstrap.")
    assert card.metrics


def test_all_weights_together_stay_below_five_megabytes():
    assert sum(weights_path(name).stat().st_size for name in NAMES) < 5_000_000


@pytest.mark.parametrize("name", list(NAMES))
def test_weights_are_stored_in_half_and_loaded_in_single_precision(name):
    assert {value.dtype for value in load_weights(load_card(name)).values()} <= {torch.float32, torch.int64}
    assert weights_path(name).stat().st_size < 2.2 * sum(
        value.numel() for value in load_weights(load_card(name)).values()
    )


def test_labelling_and_evaluating_embedder_differ_in_shape():
    a, b = load_card("bundled-a"), load_card("bundled-b")
    assert a.arguments["widths"] != b.arguments["widths"]
    assert a.sha256 != b.sha256


@pytest.mark.parametrize(("name", "load"), [("bundled-a", BundledEmbedder), ("bundled-clip", BundledImageText)])
def test_one_changed_byte_is_noticed(copied, name, load):
    path = copied / f"{name}.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"digest .* but their card says .*; reinstall"):
        load(name, folder=copied)


def test_missing_and_unreadable_files_are_named(copied):
    (copied / "bundled-a.safetensors").unlink()
    with pytest.raises(UserError, match=r"bundled-a\.safetensors .* missing"):
        BundledEmbedder("bundled-a", folder=copied)
    (copied / "bundled-b.yaml").write_text("name: [", encoding="utf-8")
    with pytest.raises(UserError, match=r"bundled-b\.yaml cannot be read"):
        load_card("bundled-b", folder=copied)
    (copied / "bundled-b.yaml").write_text("name: b\nrole: king\n", encoding="utf-8")
    with pytest.raises(UserError, match="cannot be read"):
        load_card("bundled-b", folder=copied)


@pytest.mark.parametrize("name", ["nonesuch", "../weights/bundled-a", "", "bundled-a.yaml"])
def test_unknown_name_lists_the_known_ones(name):
    with pytest.raises(UserError, match="bundled-a, bundled-b, bundled-clip"):
        load_card(name)


def test_a_model_in_the_wrong_role_is_refused():
    with pytest.raises(UserError, match="role image_text, not embedder; choose one of bundled-a, bundled-b"):
        model_zoo.load_embedder("bundled-clip")
    with pytest.raises(UserError, match="choose one of bundled-clip"):
        model_zoo.load_image_text("bundled-a")


def test_a_run_records_the_models_that_touch_its_dataset():
    digests = model_digests(RunConfig())
    assert set(digests) == {"mtcnn", "bundled-a", "bundled-clip"}
    assert digests["bundled-a"] == load_card("bundled-a").sha256
    assert len(digests["mtcnn"]) == 64
    other = RunConfig.model_validate({"models": {"embedder": "bundled-b"}})
    assert set(model_digests(other)) == {"mtcnn", "bundled-b", "bundled-clip"}
    with pytest.raises(UserError, match="nonesuch"):
        model_digests(RunConfig.model_validate({"models": {"image_text": "nonesuch"}}))
