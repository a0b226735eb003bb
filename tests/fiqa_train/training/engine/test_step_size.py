"""Step sizes: warm-up, cosine, polynomial, drops."""

import pytest

from synfiqa.fiqa_train.training.engine.step_size import share
from synfiqa.schemas.config.train_config import TrainSection


def test_it_rises_linearly_and_falls_to_nothing():
    section = TrainSection(epochs=10)
    assert [share(section, step, 100) for step in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert [share(section, step, 100) for step in (10, 55)] == pytest.approx([1, 0.5])
    assert 0 < share(section, 99, 100) < 0.001


def test_without_a_warm_up_it_starts_at_the_top():
    assert share(TrainSection(warm_up=0), 0, 100) == 1


def test_drops_count_in_epochs():
    section = TrainSection(epochs=34, warm_up=0, schedule="steps", drops=(19, 27, 31))
    assert [share(section, epoch * 7, 34 * 7) for epoch in (0, 18, 19, 27, 31, 33)] == pytest.approx(
        [1, 1, 0.1, 0.01, 0.001, 0.001]
    )


def test_a_polynomial_falls_by_its_power():
    section = TrainSection(warm_up=0, schedule="polynomial", power=2)
    assert share(section, 50, 100) == pytest.approx(0.25)


def test_a_training_of_one_step_takes_it():
    assert share(TrainSection(), 0, 1) == 1
