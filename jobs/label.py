"""Command `label`: fuse the raw components of all committed samples into quality labels."""

import argparse

from synfiqa.cluster.pipeline.ray_session import cluster_session
from synfiqa.cluster.ray_cluster.ray_address import require_address
from synfiqa.jobs.command import Command, option
from synfiqa.jobs.options import CONFIG, config_of, held, storage_of
from synfiqa.jobs.terminal.output import say


def label(options: argparse.Namespace) -> None:
    """Label the run while holding its lease, or with `--frozen` only what is new in it; print where the labels are."""
    config = config_of(options)
    require_address()
    from synfiqa.fiqa_train.labels.label_additions import run_label_additions
    from synfiqa.fiqa_train.labels.label_pass import run_label

    storage = storage_of(config)
    with cluster_session(), held(config, storage, "label") as lease:
        made = (run_label_additions if options.frozen else run_label)(config, storage, lease=lease)
    say(f"{made['samples']} labels are in {storage.uri('labels')}/{config.label.name}")


COMMAND = Command(
    "label",
    "fuse the raw components into one quality label per degraded sample",
    (
        *CONFIG,
        option(
            "--frozen",
            action="store_true",
            help="label only the samples that have no label yet, on the scale of the labels of that name",
        ),
    ),
    label,
)


if __name__ == "__main__":
    COMMAND.main()
