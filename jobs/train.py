"""Command `train`: fit a quality model to the labels of a run."""

import argparse

from synfiqa.cluster.ray_cluster.ray_address import require_address
from synfiqa.jobs.command import Command
from synfiqa.jobs.options import CONFIG, config_of, held, storage_of
from synfiqa.jobs.terminal.output import say


def train(options: argparse.Namespace) -> None:
    """Train on the run while holding its lease, and print where the model is."""
    config = config_of(options)
    require_address()
    from synfiqa.cluster.pipeline.ray_session import ray_session
    from synfiqa.fiqa_train.training.train_run import run_train
    from synfiqa.jobs.workflows.watched_set import watched_sets

    storage = storage_of(config)
    watched = watched_sets(config)
    with ray_session(), held(config, storage, "train") as lease:
        run_train(config, storage, lease=lease, watched=watched)
    say(f"the model is in {storage.uri('models')}/{config.train.name}")


COMMAND = Command("train", "fit a quality model to the labels with Ray Train", CONFIG, train)


if __name__ == "__main__":
    COMMAND.main()
