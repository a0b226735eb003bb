import cv2
import numpy as np
import pytest
import torch
from torchvision.models import resnet50

from synfiqa.actors.generation.face_model.deca import DecaCoarse, DecaEncoder, face_crops, in_frame
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import load_network
from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.actors.roles import CODE
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

CARD = ModelCard(
    name="deca",
    role="face_encoder",
    architecture="deca-coarse",
    source="deca_model.tar",
    sha256="0" * 64,
    input_size=224,
    channels="rgb",
    value_range=(0, 1),
    output="236 numbers of a FLAME face",
    licence="none stated; research use",
    commercial_use=False,
)


BOXES = np.array([[60, 50, 190, 210], [40, 40, 200, 200]], float)


@pytest.fixture(scope="module")
def state():
    with torch.device("meta"):
        skeleton = DecaCoarse()
    state = random_state(skeleton, 0)
    DecaCoarse.rehearse(state)
    return state


@pytest.fixture(scope="module")
def encoder(state, tmp_path_factory):
    path = tmp_path_factory.mktemp("deca") / "deca_model.tar"
    detail = {"layers.0.weight": torch.zeros(2, 2)}
    torch.save({"E_flame": state, "E_detail": detail, "D_detail": {"z": torch.zeros(1)}}, path)
    return DecaEncoder(CARD, path, Execution(micro_batch=2))


@pytest.fixture(scope="module")
def pictures():
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    return [cv2.resize(image, (256, 256), interpolation=cv2.INTER_CUBIC) for image in coarse]


@pytest.fixture(scope="module")
def encoded(encoder, pictures):
    return encoder.encode(pictures, BOXES)


def test_the_trunk_is_torchvisions_and_the_code_is_cut_as_published(encoded, state, pictures):
    with torch.device("meta"):
        reference = resnet50(weights=None).eval()
    trunk = {key.removeprefix("encoder."): value for key, value in state.items() if key.startswith("encoder.")}
    assert reference.load_state_dict(trunk, strict=False, assign=True).missing_keys == ["fc.weight", "fc.bias"]
    reference.fc = torch.nn.Identity()
    crops, _ = face_crops(pictures, BOXES)
    with torch.inference_mode():
        features = reference(torch.from_numpy(crops[:1] / 255).permute(0, 3, 1, 2))
        hidden = (features @ state["layers.0.weight"].T + state["layers.0.bias"]).relu()
        code = (hidden @ state["layers.2.weight"].T + state["layers.2.bias"])[0]
    found = encoded
    assert len(found) == 2
    together = [found.shape, found.texture, found.expression, found.pose, found.camera, found.light.flatten(1)]
    assert [part.shape[1] for part in together] == [100, 50, 50, 6, 3, 27]
    torch.testing.assert_close(torch.cat(together, dim=1)[0], code, atol=1e-4, rtol=1e-4)


def test_light_runs_over_harmonics_then_colours(encoded):
    # The constant harmonic of all three colours has a bias of 3, everything else is near zero.
    assert (encoded.light[0, 0] > 2).all()
    assert encoded.light[0, 1:].abs().max() < 1


def test_faces_do_not_depend_on_their_neighbours(encoder, encoded, pictures):
    alone = encoder.encode(pictures[1:], BOXES[1:])
    for name in (*CODE, "tform"):
        torch.testing.assert_close(getattr(encoded, name)[1:], getattr(alone, name), atol=1e-5, rtol=0)


def test_the_crop_is_cut_from_the_frame_and_tform_inverts_it():
    # One bright pixel of a 512 x 512 image must be in the crop at the position of the transform.
    image = np.zeros((512, 512, 3), np.uint8)
    image[300, 260] = (255, 128, 0)
    crops, tform = face_crops([image], np.array([[150, 170, 330, 390]]))
    row, column = np.unravel_index(crops[0, :, :, 0].argmax(), (224, 224))
    back = np.array([column, row, 1]) @ tform[0]
    assert np.abs(back[:2] - [260, 300]).max() <= 0.6
    red, green, blue = crops[0, row, column]
    assert red > 1.9 * green > 0
    assert blue == 0


def test_boxes_follow_the_picture_to_the_frame():
    # The pixel of a 256-pixel picture becomes two; a box from edge to edge stays one.
    found = in_frame(np.array([[-0.5, -0.5, 255.5, 127.5], [0, 0, 10, 10]]), [(128, 256), (512, 512)])
    np.testing.assert_allclose(found, [[-0.5, -0.5, 511.5, 511.5], [0, 0, 10, 10]])


def test_keys_with_their_prefix_load_too_and_missing_ones_are_named(state, tmp_path):
    # One number per key, in storage of one number: shape-exact, and small on disk.
    small = {
        f"E_flame.{key}": torch.tensor(index, dtype=value.dtype).expand(value.shape)
        for index, (key, value) in enumerate(state.items())
    }
    torch.save(small | {"E_detail.layers.0.bias": torch.zeros(3)}, tmp_path / "flat.pth")
    loaded = load_network(CARD, tmp_path / "flat.pth").state_dict()
    assert [key for index, key in enumerate(state) if not bool((loaded[key] == index).all())] == []
    del small["E_flame.layers.2.bias"]
    torch.save(small, tmp_path / "less.pth")
    with pytest.raises(UserError, match=r"1 keys are missing \(layers\.2\.bias\)"):
        load_network(CARD, tmp_path / "less.pth")


def test_it_has_the_parameters_of_the_published_encoder():
    with torch.device("meta"):
        network = DecaCoarse()
    assert sum(parameter.numel() for parameter in network.parameters()) == 25_848_108
    assert len(network.state_dict()) == 318 + 4


def test_the_raw_output_depends_on_channels_and_sizes(encoder, pictures):
    images = np.stack(pictures)[:, ::2, ::2]
    answer = encoder.raw_answer(images)
    assert answer.shape == (2, 236)
    assert not np.allclose(answer, encoder.raw_answer(images[..., ::-1].copy()), rtol=1e-3)
