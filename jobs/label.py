"""Command `label`: fuse the raw components of all committed samples into quality labels."""

import argparse

from synfiqa.jobs.command import Command
from synfiqa.jobs.options import CONFIG, config_of, held, storage_of
from synfiqa.jobs.terminal.output import say


def label(options: argparse.Namespace) -> None:
    """Label the run while holding its lease, and print where the labels are."""
    config = config_of(options)
    from synfiqa.fiqa_train.labels.label_pass import run_label

    storage = storage_of(config)
    with held(config, storage, "label") as lease:
        run_label(config, storage, lease=lease)
    say(f"labels are in {storage.uri('labels')}/{config.label.name}")


COMMAND = Command("label", "fuse the raw components into one quality label per degraded sample", CONFIG, label)


if __name__ == "__main__":
    COMMAND.main()
