from copy import deepcopy

import numpy as np
import pytest
import torch
from torchvision.models import resnet50

from synfiqa.actors.model_store.loading import load_network
from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.actors.nets.sixdrepnet import SixDRepNet360, rotation_from_6d
from synfiqa.schemas.model_card import ModelCard

CARD = ModelCard(
    name="pose",
    role="pose",
    architecture="6drepnet360",
    source="random:0",
    input_size=224,
    channels="rgb",
    value_range=None,
    normalise="imagenet",
    output="a rotation",
    licence="MIT",
    commercial_use=True,
)


@pytest.fixture(scope="module")
def network():
    with torch.device("meta"):
        skeleton = SixDRepNet360()
    network = skeleton.to_empty(device="cpu")
    network.load_state_dict(random_state(network, 0))
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def picture():
    return torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))


def published_rotation(numbers):
    # Gram-Schmidt as released, in numpy: x from the first three, z across both, y across z and x.
    first, second = numbers[:3], numbers[3:]
    x = first / np.linalg.norm(first)
    z = np.cross(x, second)
    z = z / np.linalg.norm(z)
    return np.column_stack([x, np.cross(z, x), z])


def test_has_the_tensors_of_the_published_checkpoint(network):
    with torch.device("meta"):
        keys = {key for key in resnet50(weights=None).state_dict() if not key.startswith("fc.")}
    assert network.state_dict().keys() == keys | {"linear_reg.weight", "linear_reg.bias"}
    assert len(network.state_dict()) == 320
    assert sum(parameter.numel() for parameter in network.parameters()) == 23_520_326


def test_is_torchvisions_trunk_one_linear_layer_and_the_published_rotation(network, picture):
    with torch.device("meta"):
        reference = resnet50(weights=None).eval()
    copied = reference.load_state_dict(network.state_dict(), strict=False, assign=True)
    assert copied.missing_keys == ["fc.weight", "fc.bias"]
    reference.fc = network.linear_reg
    with torch.inference_mode():
        numbers = reference(picture)[0].double().numpy()
        found = network(picture)[0].numpy()
    np.testing.assert_allclose(found, published_rotation(numbers), atol=1e-5)


def test_any_six_numbers_make_a_rotation():
    numbers = torch.randn(200, 6, generator=torch.Generator().manual_seed(0)) * 5
    rotations = rotation_from_6d(numbers)
    torch.testing.assert_close(rotations.mT @ rotations, torch.eye(3).expand(200, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(rotations), torch.ones(200), atol=1e-5, rtol=0)
    for rotation, raw in zip(rotations, numbers, strict=True):
        np.testing.assert_allclose(rotation, published_rotation(raw.double().numpy()), atol=1e-5)


def test_numbers_that_determine_no_rotation_stay_finite():
    assert rotation_from_6d(torch.zeros(1, 6)).isfinite().all()
    assert rotation_from_6d(torch.tensor([[1.0, 2, 3, 2, 4, 6]])).isfinite().all()


def test_the_rotation_is_exact_in_half_precision(network, picture):
    with torch.inference_mode():
        rotation = deepcopy(network).bfloat16()(picture[..., :64, :64].bfloat16())[0]
    assert rotation.dtype == torch.float32
    torch.testing.assert_close(rotation.T @ rotation, torch.eye(3), atol=1e-5, rtol=0)


def test_every_tensor_of_the_published_checkpoint_finds_its_place(tmp_path):
    with torch.device("meta"):
        shapes = {key: (value.shape, value.dtype) for key, value in SixDRepNet360().state_dict().items()}
    # One number per key, in storage of one number: shape-exact, and small on disk.
    state = {
        key: torch.full((1,), index, dtype=dtype).expand(shape) if shape else torch.tensor(index)
        for index, (key, (shape, dtype)) in enumerate(shapes.items())
    }
    torch.save({"model_state_dict": state}, tmp_path / "weights.pth")
    loaded = load_network(CARD, tmp_path / "weights.pth").state_dict()
    assert [key for index, key in enumerate(state) if not bool((loaded[key] == index).all())] == []
