"""The command line: the list of its commands, frozen under test."""

import argparse
from collections.abc import Sequence

from synfiqa.jobs import (
    benchmark,
    bootstrap,
    calibrate,
    deploy,
    evaluate,
    export,
    export_model,
    froq,
    gc,
    generate,
    label,
    leaderboard,
    models,
    replay,
    report,
    run,
    score,
    status,
    templates,
    train,
    verify,
)
from synfiqa.jobs.command import parser_of, run_command_line
from synfiqa.jobs.completion import with_completion

COMMANDS = with_completion(
    (
        run.COMMAND,
        generate.COMMAND,
        replay.COMMAND,
        label.COMMAND,
        train.COMMAND,
        evaluate.COMMAND,
        leaderboard.COMMAND,
        score.COMMAND,
        report.COMMAND,
        export.COMMAND,
        export_model.COMMAND,
        froq.COMMAND,
        status.COMMAND,
        verify.COMMAND,
        gc.COMMAND,
        templates.COMMAND,
        models.COMMAND,
        calibrate.COMMAND,
        deploy.COMMAND,
        benchmark.COMMAND,
        bootstrap.COMMAND,
    )
)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    return parser_of(COMMANDS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; every failure ends in one sentence on stderr and a documented exit code."""
    run_command_line(COMMANDS, arguments)


if __name__ == "__main__":
    main()
