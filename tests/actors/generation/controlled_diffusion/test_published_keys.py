import json

import pytest
import torch
from diffusers.loaders import single_file_utils as theirs
from safetensors.torch import load_file

from synfiqa.actors.generation.controlled_diffusion import published_keys as keys
from synfiqa.actors.generation.controlled_diffusion.layout import FULL, TINY
from synfiqa.actors.generation.controlled_diffusion.weights import skeletons, tables
from tests.actors.generation.controlled_diffusion.conftest import FILES


@pytest.fixture(scope="module")
def single(folder):
    """Stable Diffusion under published names."""
    return load_file(folder / FILES.stable_diffusion)


@pytest.fixture(scope="module")
def control(folder):
    return torch.load(folder / FILES.control, weights_only=True)


def same(found, wanted):
    assert found.keys() == wanted.keys()
    return all(torch.equal(found[key], wanted[key].reshape(found[key].shape)) for key in found)


def test_unet_is_renamed_as_diffusers_does(single):
    wanted = theirs.convert_ldm_unet_checkpoint(single, dict(TINY.unet))
    assert len(wanted) == 686
    assert same(keys.renamed(keys.part_of(single, keys.UNET), tables(TINY)[0]), wanted)


def test_control_branch_is_renamed_as_diffusers_does(control):
    mine = keys.renamed(keys.part_of(control, keys.CONTROL), tables(TINY)[1])
    wanted = theirs.convert_controlnet_checkpoint(control, dict(TINY.unet))
    named = {
        key.removeprefix("encoder.") if key.startswith("encoder.") else f"controlnet_cond_embedding.{key[5:]}": value
        for key, value in mine.items()
        if not key.startswith("mask.")
    }
    assert same(named, wanted)
    assert mine.keys() - {"mask.weight", "mask.bias"} == {key for key in mine if not key.startswith("mask.")}


def test_decoder_is_renamed_as_diffusers_does(single):
    config = {"down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4}
    wanted = theirs.convert_ldm_vae_checkpoint(single, config)
    assert same(keys.renamed(keys.part_of(single, keys.DECODER), tables(TINY)[2]), wanted)


def test_published_names_of_full_size():
    with torch.device("meta"):
        networks = skeletons(FULL)
    unet, control, _ = (keys.reverse(table) for table in tables(FULL))
    names = keys.renamed(networks.control.state_dict(), control)
    assert names["mask_predict.0.weight"].shape == (1, 320, 3, 3)
    assert names["input_hint_block.0.weight"].shape == (16, 9, 3, 3)
    assert names["input_hint_block.14.weight"].shape == (320, 256, 3, 3)
    assert {name for name in names if name.startswith("zero_convs")} == {
        f"zero_convs.{index}.0.{kind}" for index in range(12) for kind in ("weight", "bias")
    }
    assert names["middle_block_out.0.weight"].shape == (1280, 1280, 1, 1)
    assert names["input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"].shape == (320, 768)
    assert not any("down_blocks" in name or "encoder." in name for name in names)
    whole = keys.renamed(networks.unet.state_dict(), unet)
    assert (len(whole), len(names)) == (686, 342)
    assert whole["output_blocks.2.1.conv.weight"].shape == whole["output_blocks.5.2.conv.weight"].shape
    # The branch copies the U-Net's downward half and middle, name for name.
    added = ("zero_convs", "middle_block_out", "input_hint_block", "mask_predict")
    assert {name for name in names if not name.startswith(added)} == {
        name for name in whole if not name.startswith(("output_blocks", "out."))
    }


def test_renaming_is_invertible(single):
    for prefix, table in zip((keys.UNET, keys.DECODER), tables(TINY)[::2], strict=True):
        part = keys.part_of(single, prefix)
        assert keys.renamed(keys.renamed(part, table), keys.reverse(table)).keys() == part.keys()


def test_vocabulary_and_configuration_are_json(folder):
    vocabulary = json.loads((folder / FILES.clip / "vocab.json").read_text(encoding="utf-8"))
    assert sorted(vocabulary.values()) == list(range(TINY.text["vocab_size"]))
