"""Command `score`: score photographs with a quality scorer and write one CSV."""

import argparse

from synfiqa.jobs.command import Command, option
from synfiqa.jobs.options import local_path
from synfiqa.jobs.terminal.output import say
from synfiqa.schemas.model_card import BUNDLED_QUALITY


def score(options: argparse.Namespace) -> None:
    """Write the CSV and print how many photographs have which outcome."""
    out = local_path(options.out)
    from synfiqa.fiqa_train.scoring.score_file import run_score

    counts = run_score(options.paths, options.model, out)
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())
    say(f"{counts.total()} photographs in {options.out}: {outcomes}")


COMMAND = Command(
    "score",
    "detect, align and score photographs (higher is better)",
    (
        option("paths", nargs="+", metavar="PATH", help="photographs, or folders of them"),
        option(
            "--model",
            default=BUNDLED_QUALITY,
            metavar="PATH",
            help="bundled-quality (default), sharpness, norm, mirror, random; or run, model folder, .safetensors file",
        ),
        option("--out", default="scores.csv", metavar="FILE", help="CSV to write (default: scores.csv)"),
    ),
    score,
)


if __name__ == "__main__":
    COMMAND.main()
