"""Headline figures of an evaluation as lines for the terminal."""

from collections.abc import Mapping, Sequence

from synfiqa.schemas.evaluation import EvaluationResult, Figure, NetworkComparison, ScoreFileRecord


def evaluation_lines(evaluation: EvaluationResult) -> list[str]:
    """Return label Spearman and pAUC of model, sharpness and score files on held-out identities, by each judge."""
    headline = evaluation.headline
    setting = (
        f"FMR {headline.fmr:g}, {headline.mode} mode, {headline.embedder}, "
        f"{evaluation.pairs} pairs, "
        f"{evaluation.n_genuine} genuine and {evaluation.n_impostor} impostor"
    )
    shown = ("model", "sharpness", *(file.name for file in evaluation.score_files))
    seen = [f"SEEN       {', '.join(evaluation.seen_by)} may have learned from these identities: not held out"]
    return [
        *(seen if evaluation.seen else []),
        f"spearman   {_number(evaluation.spearman.get('model'))} of model and label on "
        f"{evaluation.identities} held-out identities",
        f"pAUC       {_figures(headline.methods, shown)} (1 is useless, lower is better; {setting})",
        *(score_file_line(file) for file in evaluation.score_files),
        *(f"judge      {found.embedder}: {_figures(found.methods, shown)}" for found in _further(evaluation)),
    ]


def score_file_line(file: ScoreFileRecord) -> str:
    """Return what there was in a file of `--scores`."""
    others = f", {file.unmatched} of them no image of this evaluation" if file.unmatched else ""
    return f"scores     {file.name}: {file.rows} images{others}"


def _further(evaluation: EvaluationResult) -> list[NetworkComparison]:
    """Return the results of the other judges that did not label, at the setting of the headline."""
    headline = evaluation.headline
    return [
        result
        for result in evaluation.results
        if result.independent
        and result.embedder != headline.embedder
        and (result.mode, result.fmr) == (headline.mode, headline.fmr)
    ]


def _figures(methods: Mapping[str, Figure], shown: Sequence[str]) -> str:
    return ", ".join(f"{name} {_with_interval(methods[name])}" for name in shown if name in methods)


def _with_interval(method: Figure) -> str:
    interval = method.interval
    bounds = f" [{_number(interval.low)}, {_number(interval.high)}]" if interval else ""
    return f"{_number(method.pauc)}{bounds}"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
