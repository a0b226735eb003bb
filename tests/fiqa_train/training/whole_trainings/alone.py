"""A training worker without Ray."""

import torch

from synfiqa.fiqa_train.training.checkpoints import dump_state, parse_state


class Alone:
    """A `Session` of one worker in this process; stops as a killed worker does, or as one that is asked to."""

    rank, world, threads, device = 0, 1, 1, torch.device("cpu")

    def __init__(self, stored=None, stop_after=None, asked_at=None):
        self.stored, self.stop_after, self.metrics = stored, stop_after, []
        self.asked_at, self.steps = asked_at, 0

    def prepare(self, objective):
        return objective

    def restore(self):
        return None if self.stored is None else parse_state(self.stored)

    def report(self, metrics, state):
        self.metrics.append(metrics)
        self.stored = dump_state(state())
        if metrics["epoch"] == self.stop_after:
            raise KeyboardInterrupt

    def show(self, progress):
        pass

    def stops(self):
        self.steps += 1
        return self.steps == self.asked_at
