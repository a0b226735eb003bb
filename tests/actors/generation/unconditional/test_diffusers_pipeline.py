import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import DDIMPipeline, DDPMPipeline
from safetensors.torch import load_file, save_file

from synfiqa.actors.generation.unconditional.diffusers_pipeline import (
    INDEX,
    SCHEDULER,
    UNET,
    WEIGHTS,
    DiffusersIdentityGenerator,
)
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import play
from synfiqa.actors.model_store.rehearsal import write_rehearsal
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

CARD = ModelCard(
    name="tiny-ddpm",
    role="identity_generator",
    architecture="diffusers-unconditional",
    arguments={"steps": 4, "unet": {"block_out_channels": [32, 32], "attention_head_dim": 8}},
    source="random:1",
    input_size=16,
    channels="rgb",
    value_range=(-1.0, 1.0),
    output="uint8 RGB (16, 16, 3)",
    licence="Apache-2.0",
    commercial_use=True,
)
SEEDS = [1, 22, (1 << 63) - 1]


def with_arguments(**changes):
    return CARD.model_copy(update={"arguments": CARD.arguments | changes})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_rehearsal(CARD, tmp_path_factory.mktemp("ddpm"), seed=1)


@pytest.fixture(scope="module")
def ddim(tmp_path_factory):
    """A card of a DDIM pipeline with the same network, and its folder."""
    card = with_arguments(pipeline="DDIMPipeline", eta=0.5, steps=3)
    return card, write_rehearsal(card, tmp_path_factory.mktemp("ddim"), seed=1)


@pytest.fixture(scope="module")
def generator(folder):
    return DiffusersIdentityGenerator(CARD, folder, Execution(micro_batch=2))


@pytest.fixture(scope="module")
def portraits(generator):
    return np.stack([candidate.image for candidate in generator.generate(SEEDS)])


def changed(folder, to, part, **changes):
    """Copy the folder with some entries of one of its files changed."""
    shutil.copytree(folder, to)
    file = to / part
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return to


def test_rehearsal_is_a_pipeline_folder_of_the_library(folder):
    pipeline = DDPMPipeline.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    assert pipeline.unet.config.sample_size == 16


def by_library(pipeline, seed, **options):
    pipeline.set_progress_bar_config(disable=True)
    generators = torch.Generator().manual_seed(seed)
    return pipeline(generator=generators, output_type="np", **options).images[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_portraits_are_those_of_the_librarys_pipeline(folder, portraits, seed):
    pipeline = DDPMPipeline.from_pretrained(folder, local_files_only=True)
    expected = by_library(pipeline, seed, num_inference_steps=4)
    assert np.abs(portraits[SEEDS.index(seed)] / 255 - expected).max() < 0.51 / 255
    assert expected.std() > 0.05


def test_ddim_portraits_are_those_of_the_librarys_pipeline(ddim):
    card, path = ddim
    found = DiffusersIdentityGenerator(card, path, Execution(micro_batch=2)).generate(SEEDS)
    pipeline = DDIMPipeline.from_pretrained(path, local_files_only=True)
    for seed, candidate in zip(SEEDS, found, strict=True):
        expected = by_library(pipeline, seed, num_inference_steps=3, eta=0.5)
        assert np.abs(candidate.image / 255 - expected).max() < 0.51 / 255


def test_a_card_of_the_registry_makes_a_generator(folder):
    assert isinstance(play(CARD, folder, Execution()), DiffusersIdentityGenerator)


def test_portrait_depends_on_its_seed_alone(generator, portraits):
    assert (portraits.dtype, portraits.shape) == (np.uint8, (3, 16, 16, 3))
    for row, seed in enumerate(SEEDS):
        assert np.array_equal(generator.generate([seed])[0].image, portraits[row])
    assert np.array_equal(generator.generate(SEEDS[::-1])[0].image, portraits[2])
    assert (np.abs(portraits[0].astype(int) - portraits[1])).mean() > 5
    assert generator.generate(SEEDS[:1])[0].attributes == {}


def test_stateful_schedulers_are_reset_for_each_batch(folder, tmp_path):
    path = changed(folder, tmp_path / "a", INDEX, scheduler=["diffusers", "DPMSolverMultistepScheduler"])
    generator = DiffusersIdentityGenerator(CARD, path, Execution(micro_batch=1))
    first, second = generator.generate([5, 5])
    assert np.array_equal(first.image, second.image)


def test_learned_variance_needs_a_network_that_predicts_it(tmp_path):
    learned = with_arguments(
        unet=CARD.arguments["unet"] | {"out_channels": 6}, scheduler={"variance_type": "learned_range"}
    )
    path = write_rehearsal(learned, tmp_path, seed=2)
    assert DiffusersIdentityGenerator(learned, path, Execution(micro_batch=1)).generate([3])[0].image.std() > 5
    broken = changed(path, tmp_path / "broken", SCHEDULER, variance_type="fixed_small")
    with pytest.raises(UserError, match="gives 6 channels, which its scheduler, a DDPMScheduler without learned"):
        DiffusersIdentityGenerator(learned, broken, Execution())


def test_steps_are_the_pipelines_own_by_default(folder, ddim):
    silent = with_arguments(steps=None)
    assert DiffusersIdentityGenerator(silent, folder, Execution()).steps == 1000
    assert DiffusersIdentityGenerator(silent, ddim[1], Execution()).steps == 50


def test_half_precision_changes_portraits_little(folder, portraits):
    half = DiffusersIdentityGenerator(CARD, folder, Execution(micro_batch=2, precision="bfloat16"))
    found = np.stack([candidate.image for candidate in half.generate(SEEDS)]).astype(int)
    assert 0 < np.abs(found - portraits).mean() < 3


def test_checkpoints_of_before_2023_load_under_their_old_names(folder, portraits, tmp_path):
    old = changed(folder, tmp_path / "old", INDEX)
    state = load_file(old / WEIGHTS)
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    renamed = {}
    for key, value in state.items():
        for new, former in names.items():
            key = key.replace(f".{new}.", f".{former}.")
        renamed[key] = value
    assert renamed.keys() != state.keys()
    save_file(renamed, old / WEIGHTS)
    found = DiffusersIdentityGenerator(CARD, old, Execution(micro_batch=2)).generate(SEEDS[:1])
    assert np.array_equal(found[0].image, portraits[0])


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        (INDEX, {"_class_name": "LDMPipeline"}, "describes a LDMPipeline: only DDPMPipeline and DDIMPipeline"),
        (INDEX, {"unet": ["my_code", "UNet2DModel"]}, "other code is not run"),
        (INDEX, {"unet": ["diffusers", "UNet2DConditionModel"]}, "must be a UNet2DModel of diffusers"),
        (INDEX, {"scheduler": ["diffusers", "DDPMPipeline"]}, "must be a SchedulerMixin of diffusers"),
        (INDEX, {"scheduler": None}, "names None as its scheduler"),
        (UNET, {"sample_size": 32}, "input_size is 16 but .* declares 32"),
        (UNET, {"sample_size": None}, "input_size is 16 but .* declares None"),
        (UNET, {"num_class_embeds": 10}, "takes other input than RGB images alone"),
        (UNET, {"in_channels": 4}, "takes other input than RGB images alone"),
        (UNET, {"down_block_types": ["NoBlock", "DownBlock2D"]}, "no network that diffusers can build"),
        (UNET, {"block_out_channels": [32, 64]}, "have wrong shapes"),
        (SCHEDULER, {"beta_schedule": "zigzag"}, "describes no scheduler"),
    ],
)
def test_folders_that_fit_nothing_are_explained(folder, tmp_path, part, changes, message):
    with pytest.raises(UserError, match=message):
        DiffusersIdentityGenerator(CARD, changed(folder, tmp_path / "copy", part, **changes), Execution())


@pytest.mark.parametrize("part", [INDEX, UNET, SCHEDULER])
def test_damaged_and_missing_descriptions_are_named(folder, tmp_path, part):
    copy = changed(folder, tmp_path / "copy", part)
    (copy / part).write_text("{")
    with pytest.raises(UserError, match=rf"{part} describes no diffusers model"):
        DiffusersIdentityGenerator(CARD, copy, Execution())
    (copy / part).unlink()
    with pytest.raises(UserError, match=rf"{part} describes no diffusers model"):
        DiffusersIdentityGenerator(CARD, copy, Execution())


def test_weights_must_be_safetensors_and_whole(folder, tmp_path):
    copy = changed(folder, tmp_path / "copy", INDEX)
    whole = (copy / WEIGHTS).read_bytes()
    (copy / WEIGHTS).write_bytes(whole[:-100])
    with pytest.raises(UserError, match="no whole safetensors file"):
        DiffusersIdentityGenerator(CARD, copy, Execution())
    (copy / WEIGHTS).rename(copy / "unet/diffusion_pytorch_model.bin")
    with pytest.raises(UserError, match=f"holds no {WEIGHTS}"):
        DiffusersIdentityGenerator(CARD, copy, Execution())


def test_arguments_of_a_rehearsal_are_refused_beside_a_real_folder(folder):
    card = CARD.model_copy(update={"source": str(folder), "sha256": "0" * 64})
    with pytest.raises(UserError, match="its folder determines unet: leave it out"):
        DiffusersIdentityGenerator(card, folder, Execution())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps"),
        ({"stepz": 1}, "stepz"),
        ({"unet": {"block_out_channels": [32]}}, "diffusers cannot build it"),
        ({"unet": {"no_such": 1}}, "diffusers cannot build it"),
    ],
)
def test_arguments_that_do_not_fit_are_named(tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        write_rehearsal(with_arguments(**change), tmp_path, seed=1)
