"""Command `generate`: make the dataset, or with `--check` find out whether it can be made."""

import argparse

from synfiqa.cluster.ray_cluster.ray_address import require_address
from synfiqa.jobs.command import Command, option
from synfiqa.jobs.options import CONFIG, NEW_GENERATION, config_of, storage_of
from synfiqa.jobs.terminal.output import say


def generate(options: argparse.Namespace) -> None:
    """Make what is missing of the dataset and print its size and digest."""
    config = config_of(options)
    if options.check:
        from synfiqa.jobs.generation.readiness import run_check

        run_check(config)
        return
    require_address()
    from synfiqa.cluster.pipeline.ray_session import ray_session
    from synfiqa.jobs.generation.dataset import make_dataset

    # A wrong URL is refused before Ray starts.
    storage = storage_of(config)
    with ray_session():
        made = make_dataset(config, storage, new_generation=options.new_generation)
    dataset = made.summary
    say(f"{dataset.samples} samples of {dataset.accepted} identities in {made.storage.uri()}, digest {dataset.digest}")


COMMAND = Command(
    "generate",
    "make the dataset: identities, references, degraded samples, raw label components",
    (
        *CONFIG,
        NEW_GENERATION,
        option(
            "--check",
            action="store_true",
            help="only report whether config, models, licences, prompts and templates are fit for a run",
        ),
    ),
    generate,
)


if __name__ == "__main__":
    COMMAND.main()
