import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from synfiqa.actors.generation.controlled_diffusion.ddim import schedule, starting_noise


def test_times_are_those_of_the_released_sampler():
    assert [step.time for step in schedule(20)] == [951 - 50 * index for index in range(20)]
    assert [step.time for step in schedule(4)] == [751, 501, 251, 1]
    assert len({step.time for step in schedule(999)}) == 999
    # The release spaces times by 1000 // 30 = 33 up to the end of the chain, and makes 31 steps of 30.
    assert [step.time for step in schedule(30)] == [958 - 33 * index for index in range(30)]
    with pytest.raises(ValueError, match="1 to 1000"):
        schedule(0)


def test_steps_are_those_of_diffusers():
    theirs = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        timestep_spacing="leading",
    )
    theirs.set_timesteps(20)
    assert theirs.timesteps.tolist() == [step.time for step in schedule(20)]
    latents = other = starting_noise([1, 2], 4, 8)
    for number, step in enumerate(schedule(20)):
        noise = starting_noise([100 + number, 200 + number], 4, 8)
        latents, other = step.apply(latents, noise), theirs.step(noise, step.time, other, eta=0.0).prev_sample
        assert torch.allclose(latents, other, rtol=1e-4, atol=1e-4)


def test_the_true_noise_recovers_the_image_up_to_the_first_variance():
    image, noise = starting_noise([3], 4, 8), starting_noise([4], 4, 8)
    first = schedule(20)[0]
    latents = first.alpha**0.5 * image + (1 - first.alpha) ** 0.5 * noise
    for step in schedule(20):
        latents = step.apply(latents, noise)
    assert torch.allclose(latents, (1 - 0.00085) ** 0.5 * image + 0.00085**0.5 * noise, atol=1e-4)


def test_noise_depends_on_its_seed_alone():
    several = starting_noise([5, 6, 7], 4, 64)
    assert several.dtype == torch.float32
    assert torch.equal(several[1:2], starting_noise([6], 4, 64))
    values = several.numpy().ravel()
    assert (abs(values.mean()), values.std()) == (pytest.approx(0, abs=0.01), pytest.approx(1, abs=0.01))
    assert abs(np.corrcoef(several.flatten(1).numpy())[0, 1]) < 0.03
