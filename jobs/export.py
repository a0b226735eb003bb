"""Command `export`: write a labelled run in a layout that other tools expect."""

import argparse

from synfiqa.cluster.pipeline.ray_session import cluster_session
from synfiqa.cluster.ray_cluster.ray_address import require_address
from synfiqa.jobs.command import Command, option
from synfiqa.jobs.options import CONFIG, config_of, local_path, storage_of
from synfiqa.jobs.terminal.output import say


def export(options: argparse.Namespace) -> None:
    """Export the run; the folder appears whole or not at all."""
    config = config_of(options)
    require_address()
    from synfiqa.fiqa_train.export.layouts import run_export

    storage, out = storage_of(config), local_path(options.out)
    with cluster_session():
        run_export(storage, out, options.layout, config.label.name, config.resilience, ofiq=options.ofiq)
    say(f"exported to {options.out}")


COMMAND = Command(
    "export",
    "write the labelled dataset in a published layout",
    (
        *CONFIG,
        option("--out", required=True, metavar="DIR", help="folder to write; must be missing or empty"),
        option(
            "--layout",
            choices=("synfiqa", "webdataset", "parquet"),
            default="synfiqa",
            help="synfiqa: data/<id>/*.jpg and Quality-Scores.txt; others: one file a shard (default: synfiqa)",
        ),
        option(
            "--ofiq",
            action="store_true",
            help="also write OFIQ-Commanded.csv, the components of ISO/IEC 29794-5 that recipes determine, in the "
            "layout of OFIQ",
        ),
    ),
    export,
)


if __name__ == "__main__":
    COMMAND.main()
