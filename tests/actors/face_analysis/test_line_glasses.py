from functools import cache

import cv2
import numpy as np
import pytest
import torch
from skimage.data import astronaut

from synfiqa.actors.degradation.recipe_sampler import candidate_recipe
from synfiqa.actors.face3d import HeadRenderer, sample_identity
from synfiqa.actors.face_analysis.line_glasses import LineGlasses, glasses_score
from synfiqa.actors.imaging.alignment import align
from synfiqa.schemas.model_card import ModelCard

LANDMARKS = np.array([[[205.0, 101.7], [246.8, 103.7], [224.7, 129.0], [201.7, 139.2], [245.3, 141.9]]])
BARE = align([astronaut()], LANDMARKS)[0]


def wearing(image, colour):
    drawn = image.copy()
    for x in (38, 73):
        cv2.ellipse(drawn, (x, 53), (13, 9), 0, 0, 360, colour, 2, cv2.LINE_AA)
    for start, end in (((51, 51), (60, 51)), ((25, 50), (14, 48)), ((86, 50), (98, 48))):
        cv2.line(drawn, start, end, colour, 2, cv2.LINE_AA)
    return drawn


@cache
def rendered_heads():
    """Sixteen heads as (portrait, landmarks), first without, then with glasses; `test_edge_glasses` uses them too."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    renderer, bare, worn = HeadRenderer(), [], []
    for seed in range(920_000, 920_016):
        identity, recipe = sample_identity(seed), candidate_recipe(seed)
        for faces, glasses in ((bare, False), (worn, True)):
            made = renderer.render(identity.with_attributes(glasses=glasses), [recipe], 128)
            faces.append((made.images[0], made.landmarks[0]))
    torch.set_num_threads(threads)
    return bare, worn


@pytest.fixture(scope="module")
def heads():
    return tuple(
        align([image for image, _ in faces], np.stack([points for _, points in faces])) for faces in rendered_heads()
    )


def test_a_bare_photographed_face_scores_low():
    assert glasses_score(BARE[None])[0] < 0.5


@pytest.mark.parametrize("colour", [(20, 15, 10), (235, 235, 235), (90, 40, 20)])
def test_glasses_drawn_on_it_score_high(colour):
    assert glasses_score(wearing(BARE, colour)[None])[0] > 0.6


def test_separates_rendered_heads_with_glasses_from_those_without(heads):
    bare, worn = (glasses_score(crops) for crops in heads)
    assert (worn[:, None] > bare[None]).mean() > 0.95  # area under the ROC curve
    assert ((worn > 0.5).mean() + (bare <= 0.5).mean()) / 2 > 0.9


def test_a_frame_of_the_brightness_of_the_skin_is_detected_by_its_colour():
    skin = np.full((112, 112, 3), (150, 110, 90), np.uint8)
    grey = cv2.cvtColor(skin, cv2.COLOR_RGB2GRAY)[0, 0]
    worn = wearing(skin, (60, 138, 180))
    assert np.abs(cv2.cvtColor(worn, cv2.COLOR_RGB2GRAY).astype(int) - grey).max() <= 2
    assert glasses_score(worn[None])[0] > 0.9
    assert glasses_score(skin[None])[0] < 0.1


def test_highlights_on_dark_skin_are_no_glasses():
    """Half of the bare faces of the darkest tone were rejected for glasses, hardly any of the lightest seven."""
    renderer, darkest = HeadRenderer(), [0.0] * 8 + [1.0, 1.0]
    crops = []
    for seed in range(930_000, 930_024):
        someone = sample_identity(seed, darkest).with_attributes(glasses=False)
        made = renderer.render(someone, [candidate_recipe(seed)], 128)
        crops.append(align(made.images, made.landmarks)[0])
    assert (glasses_score(np.stack(crops)) > 0.5).mean() < 0.15


def test_brightness_changes_scores_little(heads):
    worn = heads[1]
    dim = np.rint(worn * 0.6).astype(np.uint8)
    assert np.mean((glasses_score(dim) > 0.5) == (glasses_score(worn) > 0.5)) > 0.9


def test_range_type_and_independence_of_the_batch(heads):
    crops = np.concatenate([*heads, np.zeros((1, 112, 112, 3), np.uint8), np.full((1, 112, 112, 3), 255, np.uint8)])
    scores = glasses_score(crops)
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()
    assert scores[-2:].max() < 0.5
    np.testing.assert_array_equal(scores, np.concatenate([glasses_score(crop[None]) for crop in crops]))
    assert glasses_score(crops[:0]).shape == (0,)


@pytest.mark.parametrize("crops", [BARE, BARE[None].astype(np.float32), BARE[None, :100]])
def test_other_input_is_refused(crops):
    with pytest.raises(ValueError, match="glasses_score takes"):
        glasses_score(crops)


def test_the_role_uses_the_aligned_faces_alone(heads):
    card = ModelCard(
        name="line-glasses",
        role="glasses",
        architecture="line-glasses",
        source="built-in",
        input_size=112,
        channels="rgb",
        value_range=None,
        output="score",
        licence="Apache-2.0",
        commercial_use=True,
    )
    crops = np.concatenate(heads)
    nothing = [np.zeros((1, 1, 3), np.uint8)] * len(crops)
    scores = LineGlasses(card).score(nothing, np.full((len(crops), 5, 2), np.nan), crops)
    np.testing.assert_array_equal(scores, glasses_score(crops))
