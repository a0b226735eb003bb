"""Batches of both stages: which portraits, in which order, for any number of workers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from synfiqa.fiqa_train.training.dsl.portrait_reader import SET_R, SET_S, PortraitReader
from synfiqa.fiqa_train.training.dsl.portrait_set import KeptPortraits
from synfiqa.schemas.config.train_config import TrainSection
from tests.fiqa_train.training.dsl.portraits import blurred, clean, scores


def section(**dsl):
    return TrainSection.model_validate(
        {
            "method": "dsl_fiqa",
            "network": "dsl-compact",
            "initialise": "random",
            "epochs": 2,
            "batch_size": 4,
            "dsl": {"encoder_epochs": 1, "degradations": 3, "others": 2, **dsl},
        }
    )


@pytest.fixture(scope="module")
def items():
    return KeptPortraits(blurred(10))


def reader(items, world=1, rank=0, **dsl):
    return PortraitReader(items, items, section(**dsl), 64, seed=7, rank=rank, world=world)


def test_a_scored_epoch_has_each_portrait_once_with_its_score_and_landmarks(items):
    batches = list(reader(items).batches(1))
    assert [len(batch.quality) for batch in batches] == [4, 4]
    quality = torch.cat([batch.quality for batch in batches]).numpy()
    scaled = (scores(items.items) - 0.1) / 0.9
    assert all(np.isclose(scaled, value, atol=1e-6).any() for value in quality)
    assert len(set(quality.round(4).tolist())) == 8
    assert batches[0].images.shape == (4, 3, 64, 64)
    inside = (batches[0].landmarks >= -20) & (batches[0].landmarks < 84)
    assert inside.all()


def test_batches_continue_in_mid_epoch_and_do_not_depend_on_the_number_of_workers(items):
    whole = list(reader(items).batches(1))
    assert torch.equal(next(iter(reader(items).batches(1, 1))).images, whole[1].images)
    halves = [list(reader(items, world=2, rank=rank).batches(1)) for rank in (0, 1)]
    assert torch.equal(torch.cat([halves[0][0].images, halves[1][0].images]), whole[0].images)
    assert not torch.equal(next(iter(reader(items).batches(2))).images, whole[0].images)


def test_redrawn_portraits_are_degraded_anew_each_epoch_with_a_score_of_their_own(items):
    known = KeptPortraits([replace(item, clean=clean().image, measure="gradients") for item in items.items])
    own = reader(known, redraw=1.0)
    first, second = (torch.cat([batch.quality for batch in own.batches(epoch)]) for epoch in (1, 2))
    assert len(set(first.tolist()) & set(second.tolist())) < 3
    again = torch.cat([batch.quality for batch in reader(known, redraw=1.0).batches(1)])
    assert torch.equal(first, again)
    unknown = torch.cat([batch.quality for batch in reader(items, redraw=1.0).batches(1)])
    assert torch.equal(unknown, torch.cat([batch.quality for batch in reader(items).batches(1)]))


def test_a_dual_set_is_one_clean_face_under_degradations_and_other_images(items):
    first = next(iter(reader(items, flip=0.0).batches(0)))
    assert first.classes.tolist() == [SET_S] * 3 + [SET_R] * 2
    assert torch.isnan(first.quality).all()
    assert len({tuple(image.flatten()[:200].tolist()) for image in first.images[:3]}) == 3
    assert reader(items).steps(0) == 5
    again = next(iter(reader(items, flip=0.0).batches(0)))
    assert torch.equal(first.images, again.images)


def test_pairs_are_two_crops_of_one_image(items):
    batch = next(iter(reader(items, contrast="info_nce").batches(0)))
    assert batch.classes.tolist() == [0, 1, 0, 1]
    assert batch.images.shape == (4, 3, 64, 64)


def test_closing_ends_the_threads(items):
    own = reader(items)
    running = own.batches(1)
    next(running)
    own.close()
    own.close()
