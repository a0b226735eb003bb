"""Headline figures of an evaluation as lines for the terminal."""

from synfiqa.schemas.evaluation import EvaluationResult, Figure


def evaluation_lines(evaluation: EvaluationResult) -> list[str]:
    """Return the label Spearman and the pAUC of model and sharpness on held-out identities, as lines."""
    headline = evaluation.headline
    setting = (
        f"FMR {headline.fmr:g}, {headline.mode} mode, {headline.embedder}, "
        f"{evaluation.pairs} pairs, "
        f"{evaluation.n_genuine} genuine and {evaluation.n_impostor} impostor"
    )
    methods = headline.methods
    figures = [f"{name} {_with_interval(methods[name])}" for name in ("model", "sharpness") if name in methods]
    seen = [f"SEEN       {', '.join(evaluation.seen_by)} may have learned from these identities: not held out"]
    return [
        *(seen if evaluation.seen else []),
        f"spearman   {_number(evaluation.spearman.get('model'))} of model and label on "
        f"{evaluation.identities} held-out identities",
        f"pAUC       {', '.join(figures)} (1 is useless, lower is better; {setting})",
    ]


def _with_interval(method: Figure) -> str:
    interval = method.interval
    bounds = f" [{_number(interval.low)}, {_number(interval.high)}]" if interval else ""
    return f"{_number(method.pauc)}{bounds}"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
