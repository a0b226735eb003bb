import numpy as np
import pytest
import torch

from synfiqa.actors.generation.conditional.candidate_bank import bank_of_candidates
from synfiqa.actors.generation.conditional.template_bank import TemplateBank
from synfiqa.actors.generation.face_model.parameters import FaceParameters
from synfiqa.schemas.errors import JobFailed


def measured(count):
    light = torch.zeros(count, 9, 3)
    light[:, 0] = 3.0
    return FaceParameters(
        shape=torch.zeros(count, 100),
        texture=torch.zeros(count, 50),
        expression=torch.zeros(count, 50),
        pose=torch.zeros(count, 6),
        camera=torch.arange(count).float()[:, None].repeat(1, 3),
        light=light,
        tform=torch.eye(3).repeat(count, 1, 1),
    )


def test_the_most_frontal_neutral_and_even_candidates_become_references():
    faces = measured(6)
    yaw = [3.0, -2.0, 45.0, 1.0, 4.0, -9.0]
    faces.expression[1] = 5.0
    faces.light[4, 1] = 4.0
    bank = bank_of_candidates(faces, yaw, references=2, source="rejected")
    # Candidate 1 smiles, 4 is lit from the side, 2 looks away, 5 looks furthest aside of the rest.
    assert [item.token for item in bank.references] == ["candidate-0000000", "candidate-0000003"]
    assert [int(item.camera[0]) for item in bank.degradations] == [1, 2, 4, 5]
    assert bank.degradations[1].tags == {"abs_yaw": 45.0}
    numbered = bank_of_candidates(faces, yaw, references=2, numbers=[7, 8, 9, 10, 11, 12])
    assert [item.token for item in numbered.references] == ["candidate-0000007", "candidate-0000010"]


def test_what_is_not_finite_is_left_out():
    faces = measured(5)
    faces.pose[0] = torch.nan
    bank = bank_of_candidates(faces, [0, 1, 2, 3, np.nan], references=2)
    assert [int(item.camera[0]) for item in (*bank.references, *bank.degradations)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("yaw", "complaint"), [([30.0, 1.0], "only 1 candidates look ahead"), ([1.0, 2.0], "none|no candidate")]
)
def test_too_few_candidates_are_told(yaw, complaint):
    with pytest.raises(JobFailed, match=complaint):
        bank_of_candidates(measured(2), yaw, references=2)


def test_a_bank_of_candidates_can_be_saved(tmp_path):
    bank_of_candidates(measured(4), [1, 2, 3, 4], references=2).save(tmp_path / "bank.json")
    assert len(TemplateBank.load(tmp_path / "bank.json").degradations) == 2
