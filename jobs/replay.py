"""Command `replay`: make the dead rows of a run again, after their cause is gone."""

import argparse

from synfiqa.cluster.ray_cluster.ray_address import require_address
from synfiqa.jobs.command import Command, option
from synfiqa.jobs.options import RUN, SET, config_of_run, run_url, storage_of
from synfiqa.jobs.terminal.output import say


def replay(options: argparse.Namespace) -> None:
    """Replay every dead row of the run under the config that the run recorded, and print the totals."""
    config = config_of_run(run_url(options), options.set)
    require_address()
    from synfiqa.cluster.pipeline.ray_session import ray_session
    from synfiqa.jobs.generation.replay_dead import run_replay

    storage = storage_of(config)
    with ray_session():
        dataset = run_replay(config, storage)
    say(
        f"{dataset.samples} samples of {dataset.accepted} identities in {storage.uri()}, "
        f"{dataset.dead} candidates and {dataset.samples_dead} samples are still dead, digest {dataset.digest}"
    )


COMMAND = Command(
    "replay",
    "make dead rows again after their cause is gone",
    (*RUN, SET, option("--dead", action="store_true", required=True, help="replay every dead row of the run")),
    replay,
)


if __name__ == "__main__":
    COMMAND.main()
