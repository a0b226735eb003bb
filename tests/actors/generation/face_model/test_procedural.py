import numpy as np
import pytest
import torch

from synfiqa.actors.face3d.shape.expression import UNITS, expressed_grid, expression_basis
from synfiqa.actors.face3d.shape.head import COLUMNS, ROWS, measure, neutral_grid, row_of
from synfiqa.actors.face3d.shape.identity import sample_identity
from synfiqa.actors.generation.face_model.camera import vertex_normals
from synfiqa.actors.generation.face_model.control_map import ControlMaps
from synfiqa.actors.generation.face_model.parameters import FaceParameters
from synfiqa.actors.generation.face_model.procedural import JAW_OPEN, ProceduralFaceModel, code_of, identity_of
from synfiqa.actors.generation.face_model.procedural_encoder import ProceduralEncoder
from synfiqa.actors.generation.face_model.renderer import TorchRenderer
from synfiqa.schemas.recipe import Expression

WIDEST_SEED = 2**63 - 1


@pytest.fixture(scope="module")
def model():
    return ProceduralFaceModel()


@pytest.fixture(scope="module")
def person():
    return sample_identity(11)


@pytest.fixture(scope="module")
def code(person):
    return [torch.from_numpy(part)[None] for part in code_of(person)]


def posed(model, code, expression=(), pose=(0, 0, 0, 0, 0, 0)):
    strengths = [*expression, *(0 for _ in UNITS[len(expression) :])]
    vertices = model.geometry(code[0], torch.tensor([strengths]).float(), torch.tensor([pose]).float())
    return (vertices[0].numpy() - [0, 0.03, 0]).reshape(ROWS, COLUMNS, 3) * 10


def test_at_rest_it_is_the_identitys_head_in_metres(model, code, person):
    np.testing.assert_allclose(posed(model, code), neutral_grid(person), atol=1e-5)


def test_expressions_are_the_units_of_the_head_and_the_jaw_opens_the_mouth(model, code, person):
    grid = neutral_grid(person)
    basis = expression_basis(grid, measure(person))
    expected = expressed_grid(grid, basis, Expression(mouth_open=0.75, smile=0.5))
    np.testing.assert_allclose(posed(model, code, (0.75, 0.5)), expected, atol=1e-5)
    jaw = (0, 0, 0, 0.5 * JAW_OPEN, 0, 0)
    np.testing.assert_allclose(posed(model, code, (0.25, 0.5), jaw), expected, atol=1e-5)


def test_units_are_clamped_at_full_strength(model, code):
    np.testing.assert_array_equal(posed(model, code, (3.0,)), posed(model, code, (1.0,)))
    np.testing.assert_array_equal(posed(model, code, (0, -1.0)), posed(model, code))


def test_the_head_turns_and_the_end_of_the_neck_stays(model, code):
    quarter = posed(model, code, pose=(0, np.pi / 2, 0, 0, 0, 0))
    rest = posed(model, code)
    head = slice(0, row_of("under"))
    pivot = np.array([0, -0.75, -0.2])
    # About y by the right hand: what faced ahead (+z) faces image-right (+x).
    expected = (rest[head] - pivot) @ np.array([[0, 0, -1.0], [0, 1, 0], [1, 0, 0]]) + pivot
    np.testing.assert_allclose(quarter[head], expected, atol=1e-5)
    np.testing.assert_allclose(quarter[-1], rest[-1], atol=1e-5)


def test_the_surface_is_closed_at_the_back_and_normals_point_outwards(model, code):
    vertices = model.geometry(code[0], torch.zeros(1, len(UNITS)), torch.zeros(1, 6))
    normals = vertex_normals(vertices, model.faces)[0].reshape(ROWS, COLUMNS, 3)
    assert normals[row_of("brow"), COLUMNS // 2, 2] > 0.8
    assert normals[row_of("brow"), 0, 2] < -0.8
    assert not (model.faces % COLUMNS == COLUMNS - 1).any()


def test_identities_are_recovered_from_their_code():
    for seed in (0, 5, WIDEST_SEED):
        person = sample_identity(seed)
        back = identity_of(torch.from_numpy(code_of(person)[1]))
        assert back.seed == seed
        np.testing.assert_array_equal(back.shape, person.shape)
        np.testing.assert_array_equal(back.appearance, person.appearance)
        for name in ("hair_style", "hair_colour", "beard"):
            assert back.attributes[name] == person.attributes[name]
        for name in ("sex", "age", "skin_tone", "makeup"):
            assert back.number(name) == pytest.approx(person.number(name), rel=1e-6)


def test_albedo_is_the_skin_of_the_person(model):
    light, dark = (sample_identity(0).with_attributes(skin_tone=tone, beard="none") for tone in (1, 10))
    images = model.albedo(torch.stack([torch.from_numpy(code_of(person)[1]) for person in (light, dark)]))
    assert images.shape == (2, 3, 256, 256)
    assert images.min() >= 0
    assert images.max() <= 1
    cheek = images[:, :, 150, 90]
    assert (cheek[0] > cheek[1] + 0.2).all()
    assert (cheek[:, 0] > cheek[:, 2]).all(), "skin is redder than blue: the order is RGB"


def encoded(count=1):
    images = [np.full((64, 64, 3), value, np.uint8) for value in range(count)]
    return ProceduralEncoder(None, None, None).encode(images, np.array([[16, 12, 48, 50]] * count))


def test_the_encoder_gives_equal_heads_to_equal_pictures_only():
    again, first = encoded(2), encoded(1)
    for name in FaceParameters.__dataclass_fields__:
        assert torch.equal(getattr(again, name)[:1], getattr(first, name)), name
    assert not torch.equal(again.shape[0], again.shape[1])
    assert encoded(0).shape.shape == (0, 59)


def test_a_whole_control_map_is_drawn_without_licensed_files(model):
    map_ = ControlMaps(model, TorchRenderer(), 96).draw(encoded(1))[0]
    covered = (map_[:3] != 0).any(0)
    assert 0.1 < covered.float().mean() < 0.9
    assert (map_[:, ~covered] == 0).all()
    middle = map_[:, 40:56, 40:56]
    assert middle[2].mean() > 0.5, "the face looks at the camera"
    assert 0.2 < middle[3:6].mean() < 0.95
    assert 0.1 < middle[6:].mean() < 1.5
