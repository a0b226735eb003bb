"""Makes, checks and scores the rendered verification benchmark, which a seed reproduces byte for byte."""

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError

from synfiqa.actors.model_store.cache import digest_of
from synfiqa.actors.quality.factories import ScorerSettings, scorers_of
from synfiqa.actors.quality.guard import GuardedScorer
from synfiqa.actors.quality.registry import require_known
from synfiqa.actors.roles import Embedder
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.progress import Phase
from synfiqa.fiqa_train.evaluation.compare import model_versus
from synfiqa.fiqa_train.evaluation.held_out import load_embedder
from synfiqa.fiqa_train.evaluation.pairs import embed_flipped
from synfiqa.fiqa_train.rendered_benchmark.folder import Benchmark, problems, read_document
from synfiqa.fiqa_train.rendered_benchmark.make import make_benchmark
from synfiqa.fiqa_train.rendered_benchmark.plan import Settings
from synfiqa.fiqa_train.rendered_benchmark.score import EVALUATOR, measure
from synfiqa.fiqa_train.scoring.sources import open_scorer
from synfiqa.jobs.terminal.output import say
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.evaluation import BenchmarkId, BenchmarkResult, Figure, Network, file_content

BESIDE = ("sharpness", "random")
"""Scorers that a model is compared with, unless others are named."""


def settings_of(options: argparse.Namespace) -> Settings:
    """Return the settings of `benchmark make`; UserError for the first option that is out of range."""
    given: dict[str, Any] = {name: getattr(options, name) for name in ("seed", "identities", "references", "mixed")}
    if options.factors:
        given["factors"] = tuple(options.factors.split(","))
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = first["loc"][0]
        reason = first["msg"].removeprefix("Value error, ")
        reason = reason[:1].lower() + reason[1:]
        raise UserError(f"--{name} {getattr(options, str(name))} will not do: {reason}") from error


def run_make(folder: Path, settings: Settings, processes: int = 0) -> dict[str, Any]:
    """Make the benchmark, or what is missing of it, print its counts and digest, and return its document.

    `processes` of 0 means one for each CPU. UserError when the folder holds something else.
    """
    phase: list[Phase] = []

    def watch(done: int, planned: int) -> None:
        if not phase:
            phase.append(Phase("benchmark", planned, "identities"))
            phase[0].resume(done)
        phase[0].advance(done - phase[0].done)

    document = make_benchmark(folder, settings, processes or os.cpu_count() or 1, watch)
    if phase:
        phase[0].close()
    for line in description(document):
        say(line)
    return document


def run_check(folder: Path) -> None:
    """Read every byte of a benchmark and print what is wrong, or its digest; JobFailed when something is wrong."""
    found = problems(folder)
    for line in found:
        say(line)
    if found:
        raise JobFailed(f"{folder} has {len(found)} problems, listed above: remove it and make it again")
    for line in description(read_document(folder)):
        say(line)


def run_score(
    folder: Path, model: str, out: Path, resamples: int = 200, beside: Sequence[str] = BESIDE
) -> BenchmarkResult:
    """Score a quality model on a benchmark, write the figures as JSON, print one line a method, and return them.

    `model` is a run folder, a model folder, a .safetensors file or the name of a scorer; `beside` are names of those to
    compare it with. UserError when there is none, or when the benchmark is too small; JobFailed when a file of it is
    damaged.
    """
    names = ["model", *beside]
    require_known(names, "--scorers")
    if repeated := [name for name in names if names.count(name) > 1]:
        raise UserError(f"--scorers: '{repeated[0]}' is there twice, --model being 'model'; name it once")
    if out.is_dir() or out.absolute().is_relative_to(folder.absolute()):
        raise UserError(f"{out} cannot take the figures: give --out the name of a JSON file beside the benchmark")
    # The networks are too small to gain from threads, which lose much on a machine that does other work.
    torch.set_num_threads(1)
    scorer = open_scorer(model)
    benchmark = Benchmark.open(folder)
    settings = ScorerSettings(seed=int(benchmark.document["settings"]["seed"]))
    scorers = scorers_of(names, settings, {"model": scorer}, "--scorers")
    evaluator = settings.catalogue.model(EVALUATOR, "embedder")
    vectors, qualities = _look(benchmark, scorers, load_embedder(evaluator))
    try:
        measured = measure(benchmark, vectors, qualities, resamples, model_versus(names))
    except ValueError as error:
        raise UserError(f"{folder} is too small: {error}") from error
    scores = BenchmarkResult(
        benchmark=BenchmarkId(**{name: benchmark.document[name] for name in BenchmarkId.model_fields}),
        evaluator=Network(name=evaluator.name, sha256=digest_of(evaluator)),
        model=Network(name=scorer.card.name, sha256=scorer.card.sha256),
        **dict(measured),
    )
    Storage(str(out.absolute().parent)).write(out.name, file_content(scores))
    for line in score_lines(scores):
        say(line)
    return scores


def _look(
    benchmark: Benchmark, scorers: Mapping[str, GuardedScorer], embedder: Embedder
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return embeddings (images, D) and the qualities (images,) of each method, in the order of the image table."""
    count = benchmark.images.num_rows
    phase = Phase("score", count, "images")
    vectors, scores = [], {name: [np.empty(0)] for name in scorers}
    for images in benchmark.chunks():
        vectors.append(embed_flipped(embedder, images))
        for name, scorer in scorers.items():
            scores[name].append(scorer.score(images))
        phase.advance(len(images))
    phase.close()
    return np.concatenate(vectors), {name: np.concatenate(parts) for name, parts in scores.items()}


def description(document: dict[str, Any]) -> list[str]:
    """Return the counts and the digest of a benchmark as lines."""
    counts = document["counts"]
    return [
        f"benchmark   version {document['version']}, seed {document['settings']['seed']}, "
        f"faces {document['faces']['recipe_version']}/{document['faces']['face_sha256'][:12]}",
        f"images      {counts['references']} references and {counts['probes']} probes "
        f"of {counts['identities']} identities",
        f"pairs       {counts['genuine']} genuine and {counts['impostor']} impostor",
        f"digest      {document['digest']}",
    ]


def score_lines(scores: BenchmarkResult) -> list[str]:
    """Return the error rate of the comparisons, then one line a method: pAUC in both modes at the lowest FMR."""
    fmr = scores.results[0].fmr
    modes = [result for result in scores.results if result.fmr == fmr]
    first = modes[0]
    names = " and ".join(result.mode for result in modes)
    return [
        f"{scores.evaluator.name} rejects {_percent(first.fnmr0)} of {first.n_genuine} genuine pairs "
        f"at FMR {100 * fmr:g} % of {first.n_impostor} impostor pairs",
        f"pAUC over discard 0..{100 * first.discard_limit:g} %, {names} mode; 1 is useless, lower is better",
        *(f"{name:<11} " + "   ".join(figure(result.methods[name]) for result in modes) for name in first.methods),
    ]


def figure(method: Figure) -> str:
    """Return the pAUC of a method with its interval where it has one."""
    if method.pauc is None:
        return "undefined"
    interval = method.interval
    bounds = "" if interval is None or interval.low is None else f" [{interval.low:.3f}, {interval.high:.3f}]"
    return f"{method.pauc:.3f}{bounds}"


def _percent(share: float | None) -> str:
    return "an unknown share" if share is None else f"{100 * share:.1f} %"
