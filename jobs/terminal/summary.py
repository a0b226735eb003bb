"""Headline figures of an evaluation as lines for the terminal."""

from typing import Any


def evaluation_lines(evaluation: dict[str, Any]) -> list[str]:
    """Return the label Spearman and the pAUC of model and sharpness on held-out identities, as lines."""
    headline = evaluation["headline"]
    setting = (
        f"FMR {headline['fmr']:g}, {headline['mode']} mode, {headline['embedder']}, "
        f"{evaluation['pairs']} pairs, "
        f"{evaluation['n_genuine']} genuine and {evaluation['n_impostor']} impostor"
    )
    figures = [
        f"{name} {_with_interval(headline['methods'][name])}"
        for name in ("model", "sharpness")
        if name in headline["methods"]
    ]
    return [
        f"spearman   {_number(evaluation['spearman'].get('model'))} of model and label on "
        f"{evaluation['identities']} held-out identities",
        f"pAUC       {', '.join(figures)} (1 is useless, lower is better; {setting})",
    ]


def _with_interval(method: dict[str, Any]) -> str:
    interval = method.get("interval")
    bounds = f" [{_number(interval['low'])}, {_number(interval['high'])}]" if interval else ""
    return f"{_number(method['pauc'])}{bounds}"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
