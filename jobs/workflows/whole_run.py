"""Runs every phase of a run: generate, label, train, evaluate, report."""

import sys

from synfiqa.cluster.pipeline.ray_session import ray_session
from synfiqa.cluster.run.generations import current
from synfiqa.cluster.run.lease import hold
from synfiqa.jobs.terminal.summary import evaluation_lines
from synfiqa.schemas.config.run import RunConfig


def run_all(config: RunConfig, *, new_generation: bool = False) -> None:
    """Run every phase that is not finished yet, then print where to look and the figures that matter."""
    from synfiqa.actors.model_store.resolved_run import resolve
    from synfiqa.actors.quality.factories import require_buildable
    from synfiqa.fiqa_train.evaluation.evaluate_run import run_evaluate
    from synfiqa.fiqa_train.evaluation.held_out import judges_of
    from synfiqa.fiqa_train.labels.by_scorer.label_source import planned_source
    from synfiqa.fiqa_train.labels.label_pass import run_label
    from synfiqa.fiqa_train.training.engine.build_network import settings_of
    from synfiqa.fiqa_train.training.on_ray import require_workers
    from synfiqa.fiqa_train.training.task import initial_model, is_trained, settings_of_scorers
    from synfiqa.fiqa_train.training.teachers import require_teachers, scorers_among
    from synfiqa.fiqa_train.training.train_run import run_train
    from synfiqa.fiqa_train.training.watchers import require_watchers
    from synfiqa.jobs.generation.dataset import make_dataset
    from synfiqa.jobs.workflows.report_file import run_report
    from synfiqa.jobs.workflows.watched_set import watched_sets

    # Errors of config and calibration are raised here, not after hours of generating.
    resolved = resolve(config)
    source = planned_source(config, resolved)
    source.threshold(source.frozen())
    source.require_ready()
    settings = settings_of_scorers(resolved)
    require_buildable(config.models.scorers, settings, "models.scorers")
    require_buildable(config.evaluate.scorers, settings, "evaluate.scorers")
    require_teachers(config.train.objective.teachers, config.models.catalogue)
    require_buildable(scorers_among(config.train.objective.teachers), settings, "train.objective.teacher")
    settings_of(config.train, initial_model(resolved))
    require_watchers(config.train)
    watched = watched_sets(config)
    judges_of(resolved, source.measured.embedder)
    before = current(config.run.url, config.resilience.retry_budget_s)
    with ray_session():
        if new_generation or not is_trained(before, config.train.name):
            require_workers(config.train)
        made = make_dataset(config, before, new_generation=new_generation, resolved=resolved)
        # Not the newest generation, which another driver may have begun meanwhile.
        dataset, storage, store = made.summary, made.storage, made.store
        with hold(storage, config.resilience.lease_s, job="run") as lease:
            run_label(config, storage, lease=lease, resolved=resolved, store=store)
            run_train(config, storage, lease=lease, resolved=resolved, store=store, watched=watched)
            evaluation = run_evaluate(config, storage, lease=lease, resolved=resolved, store=store)
    page = run_report(config, storage, store=store)
    lines = [
        f"dataset    {dataset.samples} samples of {dataset.accepted} identities, digest {dataset.digest}",
        *evaluation_lines(evaluation),
        f"report     {storage.uri(page)}",
    ]
    sys.stdout.write("\n" + "\n".join(lines) + "\n")
