import math

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from synfiqa.actors.generation.unconditional.diffusion_chain import (
    Ancestral,
    Reversal,
    kept_steps,
    linear_betas,
    respaced,
    step_back,
)
from synfiqa.actors.generation.unconditional.seeded_noise import gaussian_noise

SIZE = 4


def wavy(x, steps):
    """A network of one formula: smooth in image and time, noise of about unit size, shares of variance in -1..1."""
    phase = steps.to(x.dtype)[:, None, None, None] / 100
    return torch.cat([torch.sin(2 * x + phase), torch.cos(3 * x - phase)], dim=1)


def test_published_chain_is_1000_betas_rising_linearly():
    betas = linear_betas()
    assert (len(betas), betas[0], betas[-1]) == (1000, 1e-4, 0.02)
    assert np.diff(betas) == pytest.approx(np.full(999, (0.02 - 1e-4) / 999), rel=1e-9)


def test_hundred_steps_are_the_published_ones():
    steps = kept_steps(1000, 100)
    assert [*steps[:4], *steps[-3:]] == [0, 10, 20, 30, 979, 989, 999]
    assert np.array_equal(steps, [math.floor(number * 999 / 99 + 0.5) for number in range(100)])
    assert np.array_equal(kept_steps(1000, 1000), np.arange(1000))


@pytest.mark.parametrize("count", [0, 1, 1001])
def test_chains_of_impossible_length_are_refused(count):
    with pytest.raises(ValueError, match=f"{count} steps cannot be kept of 1000"):
        kept_steps(1000, count)


def test_short_chain_is_as_noisy_as_the_long_one_at_the_kept_steps():
    betas, steps = linear_betas(), kept_steps(1000, 100)
    short = respaced(betas, steps)
    assert np.cumprod(1 - short) == pytest.approx(np.cumprod(1 - betas)[steps], rel=1e-12)
    assert respaced(betas, np.arange(1000)) == pytest.approx(betas, rel=1e-9)


def test_step_back_to_a_known_start_is_its_posterior():
    """Where the prediction is the true noise, mean and lower variance are those of x(t-1) given x(t) and x(0)."""
    betas = respaced(linear_betas(), kept_steps(1000, 100))
    kept, noisier = np.cumprod(1 - betas)[40], np.cumprod(1 - betas)[41]
    start, noise = 0.3, -0.8
    x = math.sqrt(noisier) * start + math.sqrt(1 - noisier) * noise
    # Precisions add: of x(t-1) from x(0), and of x(t) from x(t-1).
    alpha = noisier / kept
    precision = 1 / (1 - kept) + alpha / (1 - alpha)
    mean = (math.sqrt(kept) * start / (1 - kept) + math.sqrt(alpha) * x / (1 - alpha)) / precision
    row = Reversal.of(betas).table()[41]
    output = torch.tensor([noise] * 3 + [-1.0] * 3).reshape(1, 6, 1, 1)
    found = [step_back(torch.full((1, 3, 1, 1), x), output, row, size).mean().item() for size in (0.0, 1.0)]
    assert found[0] == pytest.approx(mean, rel=1e-5)
    assert found[1] - found[0] == pytest.approx(precision**-0.5, rel=1e-4)


def test_share_of_variance_interpolates_from_posterior_to_chain_in_logarithms():
    betas = respaced(linear_betas(), kept_steps(1000, 100))
    rows = Reversal.of(betas)
    zero = torch.zeros(1, 3, 1, 1)
    spread = [
        step_back(zero, torch.cat([zero, zero + share], dim=1), rows.table()[50], 1.0).mean().item()
        for share in (-1.0, 0.0, 1.0)
    ]
    assert spread[2] == pytest.approx(math.sqrt(betas[50]), rel=1e-5)
    assert spread[1] == pytest.approx(math.sqrt(spread[0] * spread[2]), rel=1e-5)
    assert rows.log_lower[0] == rows.log_lower[1]
    assert rows.table().isfinite().all()


def test_predicted_start_is_clamped_to_the_range_of_images():
    row = Reversal.of(linear_betas()).table()[500]
    x, huge = torch.zeros(1, 3, 1, 1), torch.full((1, 3, 1, 1), 1e6)
    found = step_back(x, torch.cat([huge, huge * 0], dim=1), row, 0.0)
    assert found.flatten().tolist() == pytest.approx([-row[2].item()] * 3)


def slow_sample(seed, steps):
    """One image, all in float64, straight from the chain's definition."""
    betas = [1e-4 + number * (0.02 - 1e-4) / 999 for number in range(1000)]
    signal, product = [], 1.0
    for beta in betas:
        product *= 1 - beta
        signal.append(product)
    kept = [round(number * 999 / (steps - 1)) for number in range(steps)]

    def noise(draw):
        return gaussian_noise(torch.tensor([seed]), draw, (3, SIZE, SIZE)).double()

    x = noise(0)
    for index in reversed(range(steps)):
        now = signal[kept[index]]
        before = signal[kept[index - 1]] if index else 1.0
        beta = 1 - now / before
        predicted, share = wavy(x, torch.tensor([kept[index]])).chunk(2, dim=1)
        start = ((x - math.sqrt(1 - now) * predicted) / math.sqrt(now)).clamp(-1, 1)
        x = (math.sqrt(before) * beta * start + math.sqrt(now / before) * (1 - before) * x) / (1 - now)
        if index:
            lower = math.log(beta * (1 - before) / (1 - now))
            logarithm = lower + (share + 1) / 2 * (math.log(beta) - lower)
            x = x + torch.exp(logarithm / 2) * noise(index)
    return x[0]


@pytest.mark.parametrize("steps", [2, 10, 100])
def test_sampling_is_the_chain_walked_back_in_double_precision(steps):
    found = Ancestral(steps).sample(wavy, [3, 11], SIZE)
    assert (found.dtype, found.shape) == (torch.float32, (2, 3, SIZE, SIZE))
    assert found[0].std() > 0.1
    for image, seed in zip(found, (3, 11), strict=True):
        assert (image - slow_sample(seed, steps)).abs().max() < 2e-4


def test_network_gets_the_steps_of_the_training_chain_last_first():
    told = []

    def network(x, steps):
        told.append(steps.tolist())
        return wavy(x, steps)

    Ancestral(5).sample(network, [1, 2], SIZE)
    assert told == [[step] * 2 for step in (999, 749, 500, 250, 0)]


def test_each_step_is_that_of_the_ddpm_scheduler_of_diffusers():
    scheduler = DDPMScheduler(
        1000, beta_start=1e-4, beta_end=0.02, variance_type="learned_range", timestep_spacing="linspace"
    )
    scheduler.set_timesteps(100)
    steps = kept_steps(1000, 100)
    assert scheduler.timesteps.tolist() == steps[::-1].tolist()
    rows = Reversal.of(respaced(linear_betas(), steps)).table()
    x = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    for index in (99, 98, 50, 2, 1, 0):
        output = wavy(x, torch.full((2,), int(steps[index])))
        theirs = scheduler.step(output, int(steps[index]), x, generator=torch.Generator().manual_seed(index))
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(index)) if index else 0.0
        ours = step_back(x, output, rows[index], noise)
        # Theirs subtracts float32 products of the chain from 1, which loses precision in the last steps.
        torch.testing.assert_close(ours, theirs.prev_sample, atol=5e-5 if index < 3 else 2e-6, rtol=0)


def test_image_depends_on_its_own_seed_alone():
    chain = Ancestral(10)
    together = chain.sample(wavy, [1, 2, 3, 4], SIZE)
    assert torch.equal(chain.sample(wavy, [9, 8, 3, 7], SIZE)[2], together[2])
    assert (together[0] - together[1]).abs().max() > 0.1


def test_compiled_steps_sample_the_same_images():
    chain, plain = Ancestral(6), Ancestral(6)
    chain.compile(backend="eager", fullgraph=True, dynamic=False)
    assert torch.equal(chain.sample(wavy, [1, 2], SIZE), plain.sample(wavy, [1, 2], SIZE))
