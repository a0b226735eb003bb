"""Command `evaluate`: compare the trained model with baselines on held-out identities (EDC and pAUC)."""

import argparse

from synfiqa.jobs.command import Command, option
from synfiqa.jobs.options import CONFIG, config_of, held, storage_of
from synfiqa.jobs.terminal.output import say


def evaluate(options: argparse.Namespace) -> None:
    """Evaluate the run's model while holding its lease, and print its headline figures."""
    config = config_of(options)
    from synfiqa.fiqa_train.evaluation.evaluate_run import run_evaluate
    from synfiqa.jobs.terminal.summary import evaluation_lines

    storage = storage_of(config)
    with held(config, storage, "evaluate") as lease:
        evaluation = run_evaluate(config, storage, lease=lease, allow_seen=options.allow_seen)
    for line in evaluation_lines(evaluation):
        say(line)


ALLOW_SEEN = option(
    "--allow-seen",
    action="store_true",
    help="evaluate even on identities that a model may have learned from; the evaluation is marked",
)
COMMAND = Command(
    "evaluate",
    "compute EDC and pAUC on held-out identities, beside the baselines",
    (*CONFIG, ALLOW_SEEN),
    evaluate,
)


if __name__ == "__main__":
    COMMAND.main()
