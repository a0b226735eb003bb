"""A model to score with."""

from tests.fiqa_train.untrained_model import model

__all__ = ["model"]
