"""A portrait model scores portraits together as it does alone, and cuts them out of photographs."""

import numpy as np
import pytest
import torch
from skimage import data

from synfiqa.actors.imaging.alignment import ARCFACE_TEMPLATE
from synfiqa.actors.quality.guard import GuardedScorer
from synfiqa.actors.quality.trained.portraits.portrait_frame import FRAME, MEAN_POINTS, cut_portrait, framed_points
from synfiqa.actors.quality.trained.portraits.portrait_model import PortraitModel
from synfiqa.actors.quality.trained.portraits.published_dsl import published_dsl
from synfiqa.fiqa_train.scoring.photographs import FoundFace, Score, SearchOptions, _scored, score_photos
from synfiqa.fiqa_train.training.checkpoints import dump_state
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard
from tests.actors.nets.fiqa.dsl.tiny_dsl import SIDE, tiny

FACE = np.array([[202.0, 108.0], [246.0, 105.0], [226.0, 131.0], [208.0, 152.0], [243.0, 150.0]])
"""Five landmarks of the astronaut's face."""


def card(**arguments):
    return ModelCard(
        name="tiny-dsl",
        role="quality",
        architecture="dsl-fiqa",
        arguments={"portrait_side": 96, **arguments},
        sha256="0" * 64,
        input_size=SIDE,
        channels="rgb",
        value_range=(-1.0, 1.0),
        output="quality",
        higher_is_better=True,
        licence="Apache-2.0",
        commercial_use=True,
    )


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(4)
    return tiny()


@pytest.fixture(scope="module")
def portraits():
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((64, 64), (100, 70), (140, 150))]
    return images, [framed_points(min(image.shape[:2])) for image in images]


@pytest.mark.parametrize("crops", [0, 20])
def test_portraits_have_their_scores_together_and_alone(network, portraits, crops):
    model = PortraitModel(network, card(crops=crops))
    together = model.score_portraits(*portraits)
    alone = [model.score_portraits([image], [points])[0] for image, points in zip(*portraits, strict=True)]
    assert np.allclose(together, alone, atol=1e-5)
    assert np.allclose(together, model.score_portraits(*portraits, batch=3), atol=1e-5)
    assert len(set(together.tolist())) == 3


def test_a_score_is_the_mean_over_the_crops(network, portraits):
    model, image, points = PortraitModel(network, card()), portraits[0][1], portraits[1][1]
    tiles = [(image[top : top + 64, left : left + 64], points - [left, top]) for top in (0, 36) for left in (0, 6)]
    alone = model.score_portraits([tile for tile, _ in tiles], [marks for _, marks in tiles])
    assert model.score_portraits([image], [points])[0] == pytest.approx(alone.mean(), abs=1e-5)


def test_the_cut_portrait_has_the_face_in_its_frame_whatever_its_size():
    photo = data.astronaut()
    portrait, points = cut_portrait(photo, FACE, 96)
    assert portrait.shape == (96, 96, 3)
    assert np.allclose(points, (MEAN_POINTS + (FRAME - 112) / 2) * 96 / FRAME, atol=1e-4)
    doubled = np.repeat(np.repeat(photo, 6, 0), 6, 1)
    large, _ = cut_portrait(doubled, FACE * 6 + 2.5, 96)
    assert np.abs(large.astype(int) - portrait).mean() < 12
    again, _ = cut_portrait(portrait, (ARCFACE_TEMPLATE + (FRAME - 112) / 2) * 96 / FRAME, 96)
    assert np.abs(again.astype(int) - portrait).mean() < 1


def test_photographs_are_scored_by_their_portraits_beside_a_scorer_of_crops(network):
    model = PortraitModel(network, card())

    class Brightness:
        card = card()

        def score(self, images):
            return images.mean(axis=(1, 2, 3))

    photo = data.astronaut()
    face = FoundFace(np.full((112, 112, 3), 9, np.uint8), photo, FACE)
    rows = [[(Score("a"), face)], [(Score("b", reason="no face found"), None)]]
    found = list(_scored(rows, {"dsl": GuardedScorer("dsl", model), "bright": Brightness()}))
    portrait, points = cut_portrait(photo, FACE, 96)
    assert found[0].scores["dsl"] == pytest.approx(model.score_portraits([portrait], [points])[0])
    assert found[0].scores["bright"] == 9
    assert found[1].reason == "no face found"


def test_aligned_crops_are_refused_before_anything_is_read(network):
    scorers = {"dsl": GuardedScorer("dsl", PortraitModel(network, card()))}
    with pytest.raises(UserError, match="dsl scores portraits, and aligned crops of 112 x 112 show no whole head"):
        list(score_photos([], scorers, SearchOptions(aligned=True)))


def test_both_published_files_make_one_network_with_random_crops(network):
    state = network.state_dict()
    quality = {
        key.replace("backbone.vit.", "vit.").replace("landmark_branch.", ""): value
        for key, value in state.items()
        if not key.startswith("encoder.")
    }
    unused = {
        "vit.blocks.10.norm1.weight": torch.zeros(1),
        "vit.norm.weight": torch.zeros(1),
        "swintransformer1.downsample.weight": torch.zeros(1),
        "swintransformer1.layers.0.blocks.1.attn_mask": torch.zeros(1),
        "decoder.0.attn.task_query": torch.zeros(1),
        "testmlp.0.weight": torch.zeros(1),
    }
    encoder = {key.removeprefix("encoder."): value for key, value in state.items() if key.startswith("encoder.")}
    files = [dump_state(quality | unused), dump_state({f"module.{key}": value for key, value in encoder.items()})]
    model = published_dsl(*files, "folder", network=network.arguments)
    assert all(torch.equal(value, state[key]) for key, value in model.network.state_dict().items())
    assert model.card.arguments["crops"] == 20
    broken = dump_state({key: value for key, value in quality.items() if key != "conv2.bias"})
    with pytest.raises(UserError, match=r"1 keys are missing \(conv2.bias\)"):
        published_dsl(broken, files[1], "folder", network=network.arguments)
    with pytest.raises(UserError, match="is no torch checkpoint"):
        published_dsl(b"x" * 100, files[1], "folder")
