import pytest
import torch

from synfiqa.actors.generation.face_model.parameters import Conditions, FaceParameters


def conditions(count, value=0.0, expression=4):
    return {
        "expression": torch.full((count, expression), value),
        "pose": torch.full((count, 6), value),
        "camera": torch.full((count, 3), value),
        "light": torch.full((count, 9, 3), value),
        "tform": torch.full((count, 3, 3), value),
    }


def faces(count, value=0.0):
    return FaceParameters(
        shape=torch.full((count, 2), value), texture=torch.full((count, 3), value), **conditions(count, value)
    )


def test_a_face_keeps_shape_and_texture_and_takes_all_else_from_the_conditions():
    shown = faces(1, 5.0).replaced_by(Conditions(**conditions(3, 7.0)))
    assert len(shown) == 3
    for name in ("shape", "texture"):
        assert (getattr(shown, name) == 5).all()
    for name in ("expression", "pose", "camera", "light", "tform"):
        assert (getattr(shown, name) == 7).all()


def test_many_faces_take_conditions_row_by_row():
    assert len(faces(2).replaced_by(Conditions(**conditions(2)))) == 2
    with pytest.raises(ValueError, match="2 faces cannot be shown under 3 conditions"):
        faces(2).replaced_by(Conditions(**conditions(3)))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("pose", torch.zeros(2, 5)),
        ("light", torch.zeros(2, 27)),
        ("tform", torch.zeros(1, 3, 3)),
        ("camera", torch.zeros(2, 3, dtype=torch.float64)),
        ("expression", torch.zeros(2)),
    ],
)
def test_wrong_shapes_and_types_are_named(name, wrong):
    with pytest.raises(ValueError, match=r"must be float32 \(\d, "):
        Conditions(**(conditions(2) | {name: wrong}))


def test_rows_with_a_number_that_is_not_finite_are_found():
    values = conditions(3)
    values["light"][1, 4, 2] = torch.nan
    assert Conditions(**values).finite().tolist() == [True, False, True]


def test_rows_are_chosen():
    values = conditions(3)
    values["pose"][:, 0] = torch.tensor([1.0, 2.0, 3.0])
    assert Conditions(**values).rows(slice(1, 3)).pose[:, 0].tolist() == [2, 3]
