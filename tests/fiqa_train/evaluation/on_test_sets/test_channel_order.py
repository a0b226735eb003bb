"""Exchanged channels are found by the colour of skin; grey and few faces prove nothing."""

import numpy as np
import pytest

from synfiqa.fiqa_train.evaluation.on_test_sets.channel_order import COLOURED, ChannelOrder
from synfiqa.schemas.errors import UserError
from tests.fiqa_train.small_photos import picture

FACES = np.stack([picture(seed) for seed in range(COLOURED + 5)])


def judged(faces):
    order = ChannelOrder("x")
    for start in range(0, len(faces), 7):
        order.look(faces[start : start + 7])
    order.require_rgb()


def test_blue_faces_are_refused_and_red_ones_are_not():
    judged(FACES)
    with pytest.raises(UserError, match=r"--on x: 25 of 25 faces are more blue than red"):
        judged(FACES[..., ::-1])


def test_some_blue_light_grey_faces_and_few_faces_prove_nothing():
    mixed = FACES.copy()
    mixed[:15] = mixed[:15, ..., ::-1]
    judged(mixed)
    judged(np.repeat(FACES.mean(axis=3, keepdims=True), 3, axis=3).astype(np.uint8))
    judged(FACES[: COLOURED - 1, ..., ::-1])
