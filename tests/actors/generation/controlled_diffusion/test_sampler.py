from collections import Counter

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from torchvision.transforms import functional as vision
from transformers import CLIPImageProcessor

from synfiqa.actors.generation.controlled_diffusion.control_net import hard_masks
from synfiqa.actors.generation.controlled_diffusion.ddim import starting_noise
from synfiqa.actors.generation.controlled_diffusion.layout import TINY
from synfiqa.actors.generation.controlled_diffusion.sampler import ControlledDiffusion
from synfiqa.actors.generation.controlled_diffusion.weights import Networks
from synfiqa.actors.model_store.execution import Execution
from synfiqa.cluster.pipeline.micro_batch import at_most
from synfiqa.schemas.errors import UserError
from tests.actors.generation.controlled_diffusion.conftest import RUNNING


def released(model, control, tokens, embedding, prompts, seeds):
    """Images and latents of the released loop, from its description: all networks at every step and text."""
    alphas = np.cumprod(1 - np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2)
    times = list(range(1, 1000, 1000 // model.arguments.steps))
    branch, context = model._control, model._context
    texts = [model._texts([model.prompts.negative] * len(prompts)), model._texts(prompts)]
    latents = starting_noise(seeds, 4, 8)
    for index in reversed(range(len(times))):
        time = torch.full((len(seeds),), times[index])
        predicted = []
        for text in texts:
            hint = branch.hint(control)
            soft = torch.sigmoid(torch.nn.functional.conv2d(hint, branch.mask.weight, branch.mask.bias, padding=1))
            attended = torch.cat(
                [context.img_linear(torch.tensor(tokens)), context.id_linear(torch.tensor(embedding)).unsqueeze(1)], 1
            )
            down, middle = branch.encoder(latents, time, attended, hint, return_dict=False)
            steered = [
                one * (vision.resize(soft, list(one.shape[-2:]), antialias=True) > 0.5).float()
                for one in (*down, middle)
            ]
            predicted.append(
                model._unet(
                    latents,
                    time,
                    text,
                    down_block_additional_residuals=steered[:-1],
                    mid_block_additional_residual=steered[-1],
                ).sample
            )
        noise = predicted[0] + 7.0 * (predicted[1] - predicted[0])
        now, after = alphas[times[index]], alphas[times[index - 1]] if index else alphas[0]
        clean = (latents - (1 - now) ** 0.5 * noise) / now**0.5
        latents = after**0.5 * clean + (1 - after) ** 0.5 * noise
    pixels = autoencoder(model).decode(latents.float() / 0.18215).sample.permute(0, 2, 3, 1).numpy()
    return (pixels * 127.5 + 127.5).clip(0, 255).astype(np.uint8), latents


def autoencoder(model):
    """The library's own, with the decoder's weights."""
    kinds = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    whole = AutoencoderKL(**TINY.vae, **kinds)
    lost = whole.load_state_dict(model._decoder.state_dict(), strict=False)
    assert not lost.unexpected_keys
    assert all(key.startswith(("encoder.", "quant_conv.")) for key in lost.missing_keys)
    return whole.eval()


def largest(found):
    """The output of a network, whatever it is wrapped in."""
    output = found[2]
    while not isinstance(output, torch.Tensor):
        output = output[0]
    return output


def one_of(request, index):
    return tuple(each[index : index + 1] for each in request)


def test_omitted_computation_does_not_change_an_image(model, request_of_three, pictures):
    decoded = []
    hook = model._decoder.register_forward_pre_hook(lambda _, inputs: decoded.append(inputs[0]))
    images, finite = model.generate(*request_of_three)
    hook.remove()
    assert np.array_equal(images, pictures[0])
    with torch.inference_mode():
        wanted, latents = released(model, *request_of_three)
    assert (torch.cat(decoded)[:3] - latents).abs().max() < 1e-3 * latents.std()
    assert images.shape == (3, 64, 64, 3)
    assert images.dtype == np.uint8
    assert finite.tolist() == [True] * 3
    off = np.abs(images.astype(int) - wanted)
    assert off.max() <= 1
    assert (off > 0).mean() < 0.01
    assert images.std(axis=(1, 2, 3)).min() > 10


def test_an_image_does_not_depend_on_its_neighbours(model, request_of_three, pictures):
    for index in range(3):
        alone, _ = model.generate(*one_of(request_of_three, index))
        assert np.abs(alone[0].astype(int) - pictures[0][index]).max() <= 1


def test_every_input_changes_the_image(model, request_of_three, pictures):
    control, tokens, embedding, prompts, seeds = one_of(request_of_three, 0)
    changed = [
        (-control, tokens, embedding, prompts, seeds),
        (control, tokens[:, ::-1].copy(), -embedding, prompts, seeds),
        (control, tokens, -embedding, prompts, seeds),
        (control, tokens, embedding, ["a photo of the face of a person in fog"], seeds),
        (control, tokens, embedding, prompts, [12]),
    ]
    for other in changed:
        assert np.abs(model.generate(*other)[0][0].astype(int) - pictures[0][0]).max() > 1


def test_nothing_is_computed_twice(model, request_of_three, monkeypatch):
    monkeypatch.setattr(model._texts, "_known", {})
    images = Counter()
    networks = {"unet": model._unet, "branch": model._control.encoder, "stem": model._control.hint}
    networks |= {"decoder": model._decoder, "text": model._texts._encoder, "context": model._context}
    hooks = [
        module.register_forward_hook(lambda *found, name=name: images.update({name: len(largest(found))}))
        for name, module in networks.items()
    ]
    model.generate(*request_of_three)
    model.generate(*one_of(request_of_three, 1))
    for hook in hooks:
        hook.remove()
    # Four images in micro-batches of two, of which the last two are filled up: so six.
    made, steps = 6, model.arguments.steps
    assert images == {
        "unet": 2 * made * steps,
        "branch": made * steps,
        "stem": made,
        "context": made,
        "decoder": made,
        "text": 3,
    }


def test_an_image_that_is_not_finite_is_flagged_alone(model, request_of_three, pictures):
    control, tokens, embedding, prompts, seeds = request_of_three
    spoilt = embedding.copy()
    spoilt[1] = np.inf
    images, finite = model.generate(control, tokens, spoilt, prompts, seeds)
    assert finite.tolist() == [True, False, True]
    assert not images[1].any()
    assert np.array_equal(images[[0, 2]], pictures[0][[0, 2]])


def test_outside_the_head_nothing_is_controlled(model, request_of_three, pictures):
    control, tokens, embedding, prompts, seeds = one_of(request_of_three, 0)
    bias = model._control.mask.bias
    before = bias.clone()
    bias.fill_(-1e4)
    try:
        without, other = (
            model.generate(*each, prompts, seeds)[0]
            for each in ((control, tokens, embedding), (-control, tokens, -embedding))
        )
    finally:
        bias.copy_(before)
    assert np.array_equal(without, other)
    assert not np.array_equal(without[0], pictures[0][0])


def test_masks_are_resized_before_thresholding():
    soft = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(3))
    soft[:, :, :32] *= 0.4
    for mask, side in zip(hard_masks(soft), (64, 32, 16, 8), strict=True):
        assert torch.equal(mask, (vision.resize(soft, [side, side], antialias=True) > 0.5).float())
        assert 0 < mask.mean() < 1


def test_portraits_are_prepared_as_clip_does(model):
    portraits = np.random.default_rng(8).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    side = TINY.vision["image_size"]
    processor = CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    wanted = processor(list(portraits), return_tensors="pt")["pixel_values"]
    # It rounds to 256 levels after resizing.
    assert (model._vision_input(portraits) - wanted).abs().max() < 0.5 / 255 / 0.26 + 0.02
    with torch.inference_mode():
        tokens = model._vision.module(model._vision_input(portraits)).last_hidden_state
    assert np.allclose(model.image_tokens(portraits), tokens.numpy(), atol=1e-5)
    assert tokens.shape == (2, 5, 32)


def test_half_precision_keeps_the_image(card, folder, request_of_three, pictures):
    half = ControlledDiffusion(card, folder, Execution(precision="bfloat16", micro_batch=2))
    images, finite = half.generate(*request_of_three)
    assert finite.all()
    likeness = np.corrcoef(images.reshape(3, -1), pictures[0].reshape(3, -1))[:3, 3:]
    assert likeness.diagonal().min() > 0.9
    assert not np.array_equal(images, pictures[0])


def test_a_prompt_that_is_too_long_is_refused_before_weights_are_read(card, copied, model, request_of_three):
    for path in copied.glob("*.*"):
        path.unlink() if path.is_file() else None
    long = card.model_copy(update={"arguments": {**card.arguments, "prompts": {"negative": "art, " * 50}}})
    with pytest.raises(UserError, match=r"may have 77 tokens but 'art, art.* has \d+: shorten it"):
        ControlledDiffusion(long, copied, RUNNING)
    control, tokens, embedding, _, seeds = one_of(request_of_three, 0)
    with pytest.raises(UserError, match="77 tokens"):
        model.generate(control, tokens, embedding, ["face " * 90], seeds)


def test_sizes_must_agree(card, folder, model, request_of_three):
    control, tokens, embedding, prompts, seeds = request_of_three
    with pytest.raises(ValueError, match="takes control"):
        model.generate(control[..., :32], tokens, embedding, prompts, seeds)
    with pytest.raises(ValueError, match="takes control"):
        model.generate(control, tokens, embedding, prompts, seeds[:2])
    with pytest.raises(UserError, match="multiple of 64"):
        ControlledDiffusion(card.model_copy(update={"input_size": 100}), folder, RUNNING)


def test_each_network_is_compiled_once(card, folder, model, monkeypatch):
    parts = model._unet, model._control, model._context, model._decoder, model._texts._encoder, model._vision.module
    compiled, asked = [], []

    def ask(self, **options):
        compiled.append(type(self).__name__)
        asked.append(options)

    monkeypatch.setattr(torch.nn.Module, "compile", ask)
    ControlledDiffusion(
        card.model_copy(update={"arguments": {**card.arguments, "compile": True}}), folder, RUNNING, Networks(*parts)
    )
    assert compiled == ["UNet2DConditionModel", "ControlBranch", "LatentDecoder"]
    # Kernels that were timed could differ between two workers, and round differently.
    assert asked == [{"dynamic": False, "options": {"deterministic": True}}] * 3


def test_a_call_is_padded_to_the_call_size(model, request_of_three, pictures, monkeypatch):
    sizes, real = [], model._micro_batch

    def noted(control, *rest, **more):
        sizes.append(len(control))
        return real(control, *rest, **more)

    monkeypatch.setattr(model, "_micro_batch", noted)
    with at_most(1):
        images, finite = model.generate(*request_of_three)
    assert sizes == [1, 1, 1]
    assert finite.all()
    assert np.abs(images.astype(int) - pictures[0]).max() <= 1
