"""Command `evaluate`: compare the trained model with baselines on held-out identities or test sets (EDC and pAUC)."""

import argparse
from functools import partial

from synfiqa.jobs.command import Command
from synfiqa.jobs.options import ALLOW_SEEN, CONFIG, ON, SCORES, config_of, held, storage_of
from synfiqa.jobs.terminal.output import say
from synfiqa.schemas.config.run import RunConfig


def evaluate(options: argparse.Namespace) -> None:
    """Evaluate the run's model while holding its lease, and print its headline figures."""
    config = config_of(options)
    if options.on:
        evaluate_on(config, options.on, options.scores, allow_seen=options.allow_seen)
        return
    from synfiqa.fiqa_train.evaluation.evaluate_run import run_evaluate
    from synfiqa.fiqa_train.evaluation.external_scores import RUN, open_score_files
    from synfiqa.jobs.terminal.summary import evaluation_lines

    files = open_score_files(options.scores, config.evaluate.scorers, (RUN,))
    storage = storage_of(config)
    with held(config, storage, "evaluate") as lease:
        evaluation = run_evaluate(config, storage, lease=lease, allow_seen=options.allow_seen, score_files=files)
    for line in evaluation_lines(evaluation):
        say(line)


def evaluate_on(config: RunConfig, sources: list[str], scores: list[str], *, allow_seen: bool) -> None:
    """Evaluate the run's model on test sets while holding its lease, and print a table for each."""
    from synfiqa.fiqa_train.datasets.formats import FORMATS, open_test_sets
    from synfiqa.fiqa_train.evaluation.external_scores import open_score_files
    from synfiqa.fiqa_train.evaluation.on_test_sets.evaluate_sets import run_evaluate_on
    from synfiqa.fiqa_train.evaluation.on_test_sets.opinion_sets import open_opinion_sets, run_evaluate_opinions
    from synfiqa.fiqa_train.rendered_benchmark.benchmark_set import BENCHMARK
    from synfiqa.jobs.terminal.opinion_text import opinion_lines
    from synfiqa.jobs.terminal.set_text import set_lines

    opinions, others = open_opinion_sets(sources)
    test_sets = open_test_sets(others, (BENCHMARK, *FORMATS))
    files = open_score_files(scores, config.evaluate.scorers, [test_set.name for test_set in test_sets])
    storage = storage_of(config)
    with held(config, storage, "evaluate") as lease:
        measured = partial(run_evaluate_on, allow_seen=allow_seen, score_files=files, lease=lease)
        evaluations = measured(config, storage, test_sets) if test_sets else []
        agreements = run_evaluate_opinions(config, storage, opinions, lease=lease)
    for line in (line for one in evaluations for line in set_lines(one)):
        say(line)
    for line in (line for one in agreements for line in opinion_lines(one)):
        say(line)


HELP = "compute EDC and pAUC on held-out identities or test sets, beside the baselines"
COMMAND = Command("evaluate", HELP, (*CONFIG, ON, SCORES, ALLOW_SEEN), evaluate)


if __name__ == "__main__":
    COMMAND.main()
