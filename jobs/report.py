"""Command `report`: write one static page about a run and one label pass of it."""

import argparse

from synfiqa.jobs.command import Command, option
from synfiqa.jobs.options import CONFIG, config_of, storage_of
from synfiqa.jobs.terminal.output import say
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError

LABEL = option(
    "--label",
    metavar="NAME",
    help="labels that the page is about, with the models trained on them; default: label.name of the config",
)


def report(options: argparse.Namespace) -> None:
    """Write the page for whatever the run has so far, and print where it is."""
    config = config_of(options)
    from synfiqa.jobs.workflows.report_file import run_report

    storage = storage_of(config)
    if options.label is not None:
        config = labelled_as(config, options.label)
    say(storage.uri(run_report(config, storage)))


def labelled_as(config: RunConfig, label: str) -> RunConfig:
    """Return the config with these labels of its run; UserError naming those there are when it has none of the name."""
    from synfiqa.cluster.upkeep.status_reads import subfolders
    from synfiqa.fiqa_train.labels.label_pass import read_calibration

    storage = storage_of(config)
    names = [name for name in subfolders(storage, "labels") if read_calibration(storage, name) is not None]
    if label not in names:
        raise UserError(
            f"--label {label} is no label pass of {storage.uri()}, which has {', '.join(names) or 'none'}: name one of "
            "them, or run synfiqa label with this label.name first"
        )
    return config.model_copy(update={"label": config.label.model_copy(update={"name": label})})


HELP = "write report/index.html, one static page about the run; report/label-NAME.html for labels of another name"
COMMAND = Command("report", HELP, (*CONFIG, LABEL), report)


if __name__ == "__main__":
    COMMAND.main()
