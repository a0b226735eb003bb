"""Command `templates`: make a template bank, from distributions or from what is measured on rejected candidates."""

import argparse

from synfiqa.cluster.run.generations import current
from synfiqa.jobs.command import Command, option
from synfiqa.jobs.options import CONFIG, config_of, local_path, positive


def templates(options: argparse.Namespace) -> None:
    """Write the bank."""
    config = config_of(options)
    from synfiqa.jobs.workflows.template_banks import run_templates

    candidates = current(options.candidates) if options.candidates else None
    run_templates(config, local_path(options.out), degraded=options.degraded, candidates=candidates)


COMMAND = Command(
    "templates",
    "make a template bank: pose, expression and light of the samples that diffusion paints",
    (
        *CONFIG,
        option("--out", required=True, metavar="FILE", help="file to write, for diffusion.templates"),
        option("--degraded", type=positive, default=1000, metavar="N", help="degraded templates (default: 1000)"),
        option(
            "--candidates",
            metavar="RUN",
            help="measure the rejected candidates of this run instead of drawing from the config's distribution",
        ),
    ),
    templates,
)


if __name__ == "__main__":
    COMMAND.main()
