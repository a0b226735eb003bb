import numpy as np
import pytest
import torch

from synfiqa.actors.face3d.render.lighting import lamp
from synfiqa.actors.generation.face_model.sh_light import (
    CONSTANTS,
    light_of,
    shading,
    terms,
    unevenness,
    wrapped_cosine,
)
from synfiqa.schemas.recipe import Light


@pytest.fixture(scope="module")
def sphere():
    points = torch.randn(4000, 3, generator=torch.Generator().manual_seed(1))
    return points / points.norm(dim=1, keepdim=True)


def test_constants_by_hand():
    by_hand = [0.28209, *[1.02333] * 3, *[0.85809] * 3, 0.42904, 0.24771]
    assert list(CONSTANTS) == pytest.approx(by_hand, abs=1e-5)


def test_terms_by_hand():
    expected = np.array([1, 2, 3, 5, 6, 10, 15, 4 - 9, 3 * 25 - 1]) * CONSTANTS
    assert terms(torch.tensor([2.0, 3.0, 5.0])).tolist() == pytest.approx(expected.tolist(), rel=1e-6)


def test_colours_are_lit_separately():
    light = torch.zeros(9, 3)
    light[0, 0], light[1, 1], light[2, 2] = 1.0, 1.0, 1.0
    found = shading(torch.tensor([[1.0, 0, 0], [0, -1.0, 0]]), light)
    assert found[0].tolist() == pytest.approx([CONSTANTS[0], CONSTANTS[1], 0])
    assert found[1].tolist() == pytest.approx([CONSTANTS[0], 0, -CONSTANTS[2]])


@pytest.mark.parametrize("wrap", [0.0, 0.3, 1.0])
def test_two_orders_are_the_best_fit_of_a_lamp(sphere, wrap):
    direction = (0.48, 0.6, 0.64)
    found = (terms(sphere).double() @ torch.from_numpy(wrapped_cosine(direction, wrap))).numpy()
    cosine = (sphere.double() @ torch.tensor(direction, dtype=torch.float64)).numpy()
    wanted = np.maximum(0, (cosine + wrap) / (1 + wrap))
    assert np.abs(found - wanted).max() < 0.1
    # What is left over is orthogonal to all nine, up to the sample.
    assert np.abs(terms(sphere).double().numpy().T @ (found - wanted)).max() / len(sphere) < 0.01


def test_straight_under_a_lamp():
    found = terms(torch.tensor([0.0, 0.0, 1.0])).double() @ torch.from_numpy(wrapped_cosine((0.0, 0.0, 1.0)))
    assert float(found) == pytest.approx(1 / 4 + 1 / 2 + 5 / 16)


def test_light_of_recipes_is_that_of_the_procedural_renderer(sphere):
    light = Light(azimuth=50, elevation=20, harshness=0.4, exposure=1.2, temperature=0.5)
    source = lamp(light)
    cosine = sphere.numpy() @ np.array(source.direction)
    wanted = source.key * np.maximum(0, (cosine + source.wrap) / (1 + source.wrap))
    wanted += source.ambient * (0.8 + 0.2 * sphere[:, 1].numpy()) + source.fill * np.maximum(0, sphere[:, 2].numpy())
    found = shading(sphere, torch.from_numpy(light_of(light))).numpy()
    assert np.abs(found - wanted[:, None] * source.white).max() < 0.12


def test_a_lamp_from_the_side_is_less_even_than_one_in_front():
    aside, front = (torch.from_numpy(light_of(Light(azimuth=a, elevation=0, harshness=0.5)))[None] for a in (90, 0))
    assert unevenness(aside) > 5 * unevenness(front)
