"""Command `export`: write a labelled run in a layout that other tools expect."""

import argparse

from synfiqa.cluster.pipeline.ray_session import cluster_session
from synfiqa.cluster.ray_cluster.ray_address import require_address
from synfiqa.jobs.command import Command, option
from synfiqa.jobs.options import CONFIG, config_of, local_path, storage_of
from synfiqa.jobs.terminal.output import say
from synfiqa.schemas.errors import UserError


def export(options: argparse.Namespace) -> None:
    """Export the run; the folder appears whole or not at all."""
    config = config_of(options)
    portraits = options.layout == "gfiqa"
    if (options.ofiq and portraits) or (options.score and not portraits):
        raise UserError("--score goes with --layout gfiqa, and --ofiq with the other layouts: leave one out")
    require_address()
    from synfiqa.actors.quality.measures.portrait_measures import DEFAULT_MEASURE
    from synfiqa.fiqa_train.export.layouts import run_export
    from synfiqa.fiqa_train.export.portrait_export import run_portrait_export

    storage, out = storage_of(config), local_path(options.out)
    with cluster_session():
        if portraits:
            score = options.score or DEFAULT_MEASURE
            say(run_portrait_export(storage, out, score, config.label.name, config.resilience).sentence)
        else:
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
            choices=("synfiqa", "webdataset", "parquet", "gfiqa"),
            default="synfiqa",
            help="synfiqa: data/<id>/*.jpg and Quality-Scores.txt; gfiqa: portraits with 68 landmarks, of a run with "
            "storage.portraits; others: one file a shard (default: synfiqa)",
        ),
        option("--score", metavar="NAME", help="of gfiqa: gradients (default), similarity, a label, a scorer"),
        option(
            "--ofiq",
            action="store_true",
            help="also write OFIQ-Commanded.csv, OFIQ's components of ISO/IEC 29794-5 that recipes determine",
        ),
    ),
    export,
)


if __name__ == "__main__":
    COMMAND.main()
