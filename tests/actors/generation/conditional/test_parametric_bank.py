"""Heads under drawn templates have the room that heads have in portraits: they are whole, neither near nor far."""

import numpy as np
import pytest
import torch

from synfiqa.actors.face3d.shape.identity import sample_identity
from synfiqa.actors.generation.conditional.parametric_bank import parametric_bank
from synfiqa.actors.generation.conditional.template_bank import conditions_of
from synfiqa.actors.generation.face_model.control_map import ControlMaps
from synfiqa.actors.generation.face_model.parameters import FaceParameters
from synfiqa.actors.generation.face_model.procedural import ProceduralFaceModel, code_of
from synfiqa.actors.generation.face_model.renderer import TorchRenderer
from synfiqa.schemas.config.generate import DegradedSection

SIDE = 64
PEOPLE = 4
HEIGHTS = {"procedural": (0.56, 0.72), "flame": (0.40, 0.60)}
"""Of reference heads, as shares of the frame. Random FLAME files hold a ball of 0.23 m for a head without a neck."""


def people(space, model):
    """Return shape and texture of a few people, one row each."""
    if space == "procedural":
        codes = [code_of(sample_identity(seed)) for seed in range(PEOPLE)]
        return [torch.from_numpy(np.stack(part)) for part in zip(*codes, strict=True)]
    random = torch.Generator().manual_seed(1)
    return [torch.randn(PEOPLE, count, generator=random) for count in (model.sizes.shape, model.sizes.texture)]


@pytest.fixture(scope="module", params=["procedural", "flame"])
def drawn(request):
    """Which pixels heads cover, bool (N, S, S): 10 references of everybody, and 25 degraded templates of each."""
    space = request.param
    model = ProceduralFaceModel() if space == "procedural" else request.getfixturevalue("flame_model")
    bank = parametric_bank(7, 10, 25 * PEOPLE, space, DegradedSection())
    maps = ControlMaps(model, TorchRenderer(), SIDE, 5)
    shape, texture = people(space, model)
    covered = {"REF": [], "DEG": []}
    for person in range(PEOPLE):
        groups = {"REF": bank.references, "DEG": bank.degradations[25 * person : 25 * person + 25]}
        for kind, templates in groups.items():
            shown = conditions_of(templates)
            everything = {name: getattr(shown, name) for name in ("expression", "pose", "camera", "light", "tform")}
            rows = {"shape": shape[[person] * len(shown)], "texture": texture[[person] * len(shown)]}
            covered[kind].append((maps.draw(FaceParameters(**everything, **rows))[:, :3] != 0).any(1).numpy())
    return space, {kind: np.concatenate(found) for kind, found in covered.items()}


def at_the_edge(covered):
    return covered[:, [0, -1]].any((1, 2)) | covered[:, :, [0, -1]].any((1, 2))


def test_reference_heads_are_whole_and_of_the_height_of_a_portraits_head(drawn):
    space, covered = drawn
    heights = covered["REF"].any(2).sum(1) / SIDE
    assert not at_the_edge(covered["REF"]).any()
    low, high = HEIGHTS[space]
    assert low < heights.min()
    assert heights.max() < high


def test_degraded_heads_hardly_ever_leave_the_frame(drawn):
    _, covered = drawn
    heights = covered["DEG"].any(2).sum(1) / SIDE
    assert at_the_edge(covered["DEG"]).mean() < 0.05
    assert heights.min() > 0.25, "none is lost in the distance"
    assert np.quantile(heights, 0.9) > 1.3 * np.quantile(heights, 0.1), "they are near and far"
