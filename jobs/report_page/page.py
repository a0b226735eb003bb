"""Renders the page: reads the run, draws what exists, lists what is missing, fills the template."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.report_page.acceptance_by_group import acceptance_by_group
from synfiqa.jobs.report_page.data import (
    Counts,
    LabelPass,
    candidate_frame,
    count,
    opened,
    opened_units,
    read_label_pass,
    sample_frame,
)
from synfiqa.jobs.report_page.drawing.plots import Plot, quality_histogram, reject_bars
from synfiqa.jobs.report_page.factors import commanded, component_plots, factor_plots, score_plots
from synfiqa.jobs.report_page.gallery import PER_REASON, gallery, rejects
from synfiqa.jobs.report_page.prompts import prompt_use
from synfiqa.jobs.report_page.provenance import provenance
from synfiqa.jobs.report_page.trained.evaluation import Evaluation
from synfiqa.jobs.report_page.trained.models_of_label import TrainedModel, read_models, stale_models
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.factors.plugin_rows import rows_here


@dataclass(frozen=True)
class Headline:
    """One of the figures at the top of the page; `beside` is what to compare the value with."""

    name: str
    value: str
    detail: str
    beside: str = ""


def render_page(config: RunConfig, storage: Storage, store: ShardStore | None = None) -> str:
    """Return the report of one label pass of a run, `label.name`, as one HTML document.

    It shows the dataset, the labels of this name and the models trained on them. UserError when the folder is no run.
    """
    manifest = load_run(storage)
    store = store or ShardStore(storage, manifest.fingerprint)
    commits = store.all_committed()
    counts = count(store, commits, manifest)
    digest = commits.digest
    shards = opened(commits)
    label_pass = read_label_pass(config, storage, shards)
    labels = None if label_pass is None else label_pass.rows
    totals = None if label_pass is None else label_pass.totals
    generated = RunConfig.model_validate(manifest.config)
    plugged, absent = rows_here(generated.generate.added_factors)
    frame = with_labels(sample_frame(store, shards, plugged, generated.models.scorers), labels)
    degraded = frame[frame["kind"] == "degraded"]
    found = read_models(config, storage)
    models = found.models
    evaluation = next((model.evaluation for model in models if model.evaluation), None)
    pictures = gallery(store, commits, frame, totals)
    units = opened_units(commits)
    candidates = candidate_frame(store, units, PER_REASON)
    varied = commanded(generated)
    factors = factor_plots(degraded, varied, plugged)
    context = {
        "title": _title(storage),
        "location": storage.uri(),
        "label_name": config.label.name,
        "summary": _summary(counts, labels is not None, evaluation),
        "figures": headlines(counts, evaluation),
        "missing": missing(counts, label_pass is not None, bool(models), evaluation is not None or found.other_version)
        + stale(digest, label_pass, models)
        + found.notes
        + [f"The factor {name} is not drawn: the package of its plug-in is not installed here." for name in absent],
        "counts": counts,
        "labelled": labels is not None,
        "gallery": pictures,
        "fusion": None if label_pass is None else label_pass.fusion,
        "histogram": None if totals is None else Plot(quality_histogram(totals.bins, totals.deciles())),
        "components": component_plots(degraded, "ranks" if label_pass is None else label_pass.fusion.spatial),
        "scores": score_plots(degraded),
        "factors": factors,
        "bars": bool(varied & {"occluder", "expression"}),
        "rendered": generated.models.conditional_kind.commands_recipe,
        "prompts": prompt_use(generated, degraded, counts.rejected_samples),
        "partial": _partial(len(shards), counts),
        "reject_plot": Plot(reject_bars(counts.reasons)) if counts.reasons else None,
        "acceptance": acceptance_by_group(candidates, len(units), len(commits.units)),
        "rejects": rejects(candidates, counts.reasons, generated.filter),
        "models": models,
        "evaluated": [model for model in models if model.evaluation],
        "provenance": provenance(config, manifest, storage, digest, [model.name for model in models]),
    }
    context["sections"] = _sections(context)
    return _template().render(context)


def with_labels(samples: pd.DataFrame, labels: pd.DataFrame | None) -> pd.DataFrame:
    """Return the samples with `quality`, `group` and `spatial` joined by sample id, empty where there is no label."""
    if labels is None:
        return samples.assign(quality=np.nan, group=None, spatial=np.nan)
    return samples.merge(labels, on="sample_id", how="left", validate="one_to_one")


def headlines(counts: Counts, evaluation: Evaluation | None) -> list[Headline]:
    """Return the figures that matter: samples, candidates, and of an evaluated model Spearman and pAUC."""
    figures = [
        Headline("Samples", f"{counts.samples:,}", f"{counts.references:,} references, {counts.degraded:,} degraded"),
        Headline(
            "Identities",
            f"{counts.accepted:,}",
            f"of {counts.planned:,} candidates; {counts.rejected:,} rejected, {counts.dead:,} dead",
        ),
    ]
    return figures + ([] if evaluation is None else [Headline(*figure) for figure in evaluation.headlines])


def missing(counts: Counts, labelled: bool, trained: bool, evaluated: bool) -> list[str]:
    """Return one line for what the run does not have, and one for dead samples; none for a complete run."""
    absent = [
        f"{counts.shards_planned - counts.shards} of {counts.shards_planned} shards (synfiqa generate)"
        if counts.shards < counts.shards_planned
        else "",
        "" if labelled else "labels (synfiqa label)",
        "" if trained else "a trained model (synfiqa train)",
        "" if evaluated else "an evaluation (synfiqa evaluate)",
    ]
    named = [text for text in absent if text]
    lines = [f"Not there yet: {', '.join(named)}."] if named else []
    if counts.rejected_samples:
        reasons = ", ".join(f"{count} {reason}" for reason, count in counts.rejected_samples.items())
        lines.append(f"Samples rejected after all their tries: {reasons}.")
    if counts.first_dead is not None:
        first = counts.first_dead
        lines.append(
            f"Dead samples: {counts.dead_samples}. The first, {first.item}, failed in {first.stage} after "
            f"{first.attempts} attempts: {first.error}"
        )
    return lines


def stale(digest: str, label_pass: LabelPass | None, models: list[TrainedModel]) -> list[str]:
    """Return a warning for each part that was made from other shards, labels or models than those of the run now."""
    lines = []
    if label_pass is not None and label_pass.dataset != digest:
        lines.append("The labels are older than the shards: run synfiqa label --frozen, or choose another label.name.")
    return lines + stale_models(models, label_pass, digest)


def _summary(counts: Counts, labelled: bool, evaluation: Evaluation | None) -> str:
    parts = [f"{counts.samples:,} synthetic face images of {counts.accepted:,} people who do not exist"]
    if labelled:
        parts.append("each degraded image with a quality label")
    if evaluation is not None:
        parts.append("and a model that predicts it, tested on held-out identities")
    return ", ".join(parts) + "."


def _partial(shards: int, counts: Counts) -> str:
    return "" if shards == counts.shards else f"Drawn from an even selection of {shards} of {counts.shards:,} shards."


def _title(storage: Storage) -> str:
    return storage.uri().rstrip("/").rpartition("/")[2] or "run"


def _sections(context: dict) -> list[tuple[str, str]]:
    present = {
        ("identities", "Identities"): context["gallery"].identities,
        ("samples", "Best to worst"): context["gallery"].identities,
        ("labels", "Labels"): context["labelled"],
        ("components", "Components"): context["components"],
        ("factors", "Factors"): context["factors"],
        ("prompts", "Templates and prompts"): context["prompts"],
        ("candidates", "Candidates"): True,
        ("training", "Training"): context["models"],
        ("evaluation", "Evaluation"): context["evaluated"],
        ("provenance", "Provenance"): True,
    }
    return [section for section, exists in present.items() if exists]


def _template() -> Template:
    # Names in the data are text and stay text: everything but our own drawings is escaped.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("report.html.j2")
