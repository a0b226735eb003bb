import numpy as np

from synfiqa.actors.face_analysis.commanded_expression import CommandedExpression
from synfiqa.actors.generation.conditional.procedural import ProceduralIdentityGenerator
from synfiqa.schemas.model_card import ModelCard

CARD = ModelCard(
    name="commanded-expression",
    role="expression",
    architecture="commanded-expression",
    source="built-in",
    input_size=112,
    channels="rgb",
    value_range=None,
    output="strength",
    licence="Apache-2.0",
    commercial_use=True,
)


def strength(*commanded):
    count = len(commanded)
    faces = np.zeros((count, 112, 112, 3), np.uint8)
    return CommandedExpression(CARD).strength(list(faces), np.zeros((count, 5, 2)), faces, commanded)


def test_returns_the_commanded_strength_and_neutral_without_one():
    found = strength({"expression": 0.75}, {"expression": 0}, {"yaw": 3.0})
    assert found.dtype == np.float32
    assert found.tolist() == [0.75, 0, 0]


def test_works_with_the_procedural_generator():
    candidates = ProceduralIdentityGenerator(64).generate(range(3, 9))
    found = strength(*(candidate.attributes for candidate in candidates))
    assert ((found >= 0) & (found <= 1)).all()
    assert found.max() > 0
