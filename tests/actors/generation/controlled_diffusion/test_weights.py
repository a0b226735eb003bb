import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from synfiqa.actors.generation.controlled_diffusion.arguments import DiffusionArguments
from synfiqa.actors.generation.controlled_diffusion.published_keys import DECODER, TEXT, UNET, VISION
from synfiqa.actors.generation.controlled_diffusion.rehearsal import write_random
from synfiqa.actors.generation.controlled_diffusion.sampler import ControlledDiffusion
from synfiqa.actors.generation.controlled_diffusion.text import load_tokenizer
from synfiqa.actors.generation.controlled_diffusion.weights import load_networks
from synfiqa.schemas.errors import UserError
from tests.actors.generation.controlled_diffusion.conftest import FILES, RUNNING

TINY = DiffusionArguments(size="tiny")


def states(networks):
    return {name: module.state_dict() for name, module in vars(networks).items()}


def same(one, other):
    return all(
        one[name].keys() == other[name].keys()
        and all(torch.equal(value, other[name][key]) for key, value in one[name].items())
        for name in one
    )


def change(path, edit):
    state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)
    edit(state)
    save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)


def lose(path, prefix):
    """Take out every tensor under the prefix, and return what was taken."""
    taken = {}

    def edit(state):
        taken.update({key: state.pop(key) for key in list(state) if key.startswith(prefix)})

    change(path, edit)
    return taken


@pytest.fixture(scope="module")
def loaded(folder):
    return states(load_networks(folder, TINY))


@pytest.fixture(scope="module")
def nested_card(card):
    return card.model_copy(update={"arguments": {**card.arguments, "stable_diffusion": "sd15"}})


@pytest.fixture(scope="module")
def nested(nested_card, tmp_path_factory):
    """The same seed in diffusers' layout."""
    path = tmp_path_factory.mktemp("nested") / "weights"
    write_random(nested_card, path, seed=1)
    return path


@pytest.fixture
def nested_copy(nested, tmp_path):
    return shutil.copytree(nested, tmp_path / "weights")


def test_file_and_folder_of_a_seed_are_the_same_model(nested, loaded):
    assert (nested / "sd15" / "unet" / "diffusion_pytorch_model.safetensors").is_file()
    assert same(states(load_networks(nested, DiffusionArguments(stable_diffusion="sd15"))), loaded)


def test_folder_written_by_an_old_diffusers(nested_copy, loaded):
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def rename(state):
        for new, before in old.items():
            for kind in ("weight", "bias"):
                key = f"decoder.mid_block.attentions.0.{new}.{kind}"
                state[key.replace(new, before)] = state.pop(key)

    change(nested_copy / "sd15" / "vae" / "diffusion_pytorch_model.safetensors", rename)
    assert same(states(load_networks(nested_copy, DiffusionArguments(stable_diffusion="sd15"))), loaded)


def test_equal_seeds_give_equal_tensors(card, folder, tmp_path):
    write_random(card, tmp_path / "again", seed=1)
    write_random(card, tmp_path / "other", seed=2)
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    for name in names - {FILES.control}:
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    one, again, other = (torch.load(path / FILES.control) for path in (folder, tmp_path / "again", tmp_path / "other"))
    assert same({"control": one}, {"control": again})
    assert not same({"control": one}, {"control": other})


def test_half_precision_and_training_tensors_are_accepted(copied, loaded):
    def leftovers(state):
        for key in list(state):
            state[key] = state[key].half()
            # Attention of the decoder is stored as convolutions of one pixel.
            if ".mid.attn_1." in key and state[key].ndim == 2:
                state[key] = state[key][:, :, None, None].clone()
        state["alphas_cumprod"] = torch.ones(1000)
        state["model_ema.decay"] = torch.ones(())
        state[f"{TEXT}text_model.embeddings.position_ids"] = torch.arange(77)[None]
        state[f"{DECODER}encoder.conv_in.weight"] = torch.ones(8, 3, 3, 3)
        state[f"{DECODER}quant_conv.weight"] = torch.ones(8, 8, 1, 1)

    change(copied / FILES.stable_diffusion, leftovers)
    networks = load_networks(copied, TINY)
    assert next(networks.unet.parameters()).dtype == torch.float32
    found = states(networks)
    for name in ("unet", "decoder", "text"):
        assert all(torch.equal(value, loaded[name][key].half().float()) for key, value in found[name].items())


def test_stable_diffusion_overrides_the_control_module(copied, loaded):
    base = load_file(copied / FILES.stable_diffusion)
    change(copied / FILES.control, lambda state: state.update({key: value * 2 for key, value in base.items()}))
    assert same(states(load_networks(copied, TINY)), loaded)
    lose(copied / FILES.stable_diffusion, DECODER)
    found = states(load_networks(copied, TINY))
    assert torch.equal(found["decoder"]["decoder.conv_in.weight"], loaded["decoder"]["decoder.conv_in.weight"] * 2)
    assert same({"unet": found["unet"]}, loaded)


def test_one_file_may_hold_everything(copied, loaded):
    base = load_file(copied / FILES.stable_diffusion)
    change(copied / FILES.control, lambda state: state.update(base))
    merged = DiffusionArguments(size="tiny", stable_diffusion=FILES.control)
    assert same(states(load_networks(copied, merged)), loaded)


def test_image_encoder_comes_from_the_control_module_first_and_text_encoder_from_clip_last(copied, loaded):
    vision = {f"{VISION}vision_model.{key}": value * 3 for key, value in loaded["vision"].items()}
    change(copied / FILES.control, lambda state: state.update(vision))
    assert lose(copied / FILES.stable_diffusion, TEXT)
    found = states(load_networks(copied, TINY))
    assert all(torch.equal(value, loaded["vision"][key] * 3) for key, value in found.pop("vision").items())
    assert same(found, loaded)


def test_prompts_become_77_tokens_between_the_marks(folder, model):
    tokenizer = load_tokenizer(folder / FILES.clip)
    ids = tokenizer.get_vocab()
    start, end = ids["<|startoftext|>"], ids["<|endoftext|>"]
    assert (start, end) == (1022, 1023)
    found = tokenizer("Photo, face", padding="max_length", max_length=77)["input_ids"]
    assert len(found) == 77
    assert found[0] == start
    assert set(found[found.index(end) :]) == {end}
    with torch.inference_mode():
        features = model._texts(["photo", "a face", "photo"])
    assert features.shape == (3, 77, 32)
    assert torch.equal(features[0], features[2])
    assert not torch.equal(features[0], features[1])


def edit_json(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


SD, CONTROL, CLIP = FILES.stable_diffusion, FILES.control, FILES.clip


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda folder: (folder / SD).unlink(), "SDiff-Stage2.safetensors is missing"),
        (lambda folder: (folder / SD).write_bytes(b"half a file"), "no whole safetensors file"),
        (lambda folder: (folder / CONTROL).write_bytes(b"PK\x03\x04"), "Control-Module.pth (holds|is no whole)"),
        (lambda folder: shutil.rmtree(folder / CLIP), "holds no tokenizer"),
        (lambda folder: (folder / CLIP / "merges.txt").unlink(), "holds no tokenizer"),
        (lambda folder: (folder / CLIP / "vocab.json").write_text("{"), "tokenizer in .* cannot be read"),
        (lambda folder: (folder / CLIP / "config.json").write_text("{"), "config.json cannot be read"),
        (lambda folder: edit_json(folder / CLIP / "config.json", text_config={}), "describes no CLIP tower"),
        (lambda folder: (folder / CLIP / "model.safetensors").unlink(), "holds no weights"),
        (
            lambda folder: lose(folder / CONTROL, "control_model.mask_predict"),
            r"control_model\.\* of Control-Module.pth does not fit .*2 keys are missing \(mask.weight, mask.bias\)",
        ),
        (lambda folder: lose(folder / CONTROL, "id_linear."), r"2 keys are missing \(id_linear"),
        (lambda folder: lose(folder / SD, UNET), r"model\.diffusion_model\.\* .* keys are missing"),
        (
            lambda folder: change(folder / SD, lambda state: state.update({"lora.up": torch.ones(1)})),
            r"has 1 other keys \(lora.up\)",
        ),
        (
            lambda folder: change(folder / SD, lambda state: state.update({f"{UNET}label_emb.0": torch.ones(1)})),
            r"1 are unexpected \(label_emb.0\)",
        ),
        (lambda folder: shutil.copy(folder / CONTROL, folder / SD), "is no whole safetensors file"),
    ],
)
def test_damage_is_named_in_one_sentence(card, copied, damage, complaint):
    damage(copied)
    with pytest.raises(UserError, match=complaint) as caught:
        ControlledDiffusion(card, copied, RUNNING)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("scheduler/scheduler_config.json", {"prediction_type": "v_prediction"}, "prediction_type 'v_prediction' but"),
        ("unet/config.json", {"cross_attention_dim": 64}, "take all parts from one Stable Diffusion"),
        ("unet/config.json", {"in_channels": 9}, "9 input channels"),
        ("unet/config.json", {"block_out_channels": [16, 16, 32]}, "describe no Stable Diffusion"),
    ],
)
def test_a_folder_of_another_kind_is_refused(nested_card, nested_copy, name, change, complaint):
    edit_json(nested_copy / "sd15" / name, **change)
    with pytest.raises(UserError, match=complaint):
        ControlledDiffusion(nested_card, nested_copy, RUNNING)


def test_wrong_arguments_are_named(card, folder):
    for arguments in ({"size": "huge"}, {"stable_diffusion": "../x"}, {"steps": 0}, {"prompts": {"stem": ""}}):
        with pytest.raises(UserError, match="arguments do not fit"):
            ControlledDiffusion(card.model_copy(update={"arguments": arguments}), folder, RUNNING)


def test_rehearsed_images_vary(pictures):
    assert np.ptp(pictures[0].astype(int), axis=0).max() > 20
