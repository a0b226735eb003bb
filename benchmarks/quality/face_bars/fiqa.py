"""Bars of a run's quality model on its held-out identities, from the run's own evaluation."""

import json
import math

from benchmarks.quality.face_bars.bar import Bar, medians
from benchmarks.quality.face_bars.settings import Settings
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.training.checkpoints import model_folder
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.evaluation import Difference, EvaluationResult, Figure, OtherVersion, parse

SUBJECT = "fiqa"
FMRS = (1e-3, 1e-2)
MODES = ("leaderboard", "iso")
DISCARD = 0.3


def measure(settings: Settings) -> list[Bar]:
    """Read rank correlation and pAUC on the independent network, and against sharpness; medians over runs."""
    return medians([bars_of(read_evaluation(run, settings.label)) for run in settings.runs])


def read_evaluation(run: str, name: str) -> EvaluationResult:
    """Read `evaluation.json` of a run's model; UserError when there is none of this version."""
    try:
        return parse(EvaluationResult, json.loads(Storage(run).read(f"{model_folder(name)}/evaluation.json")))
    except FileNotFoundError as error:
        raise UserError(f"{run} has no evaluation of the model '{name}'; run `synfiqa evaluate` first") from error
    except OtherVersion as error:
        raise UserError(f"the evaluation of '{name}' in {run} is of {error}; run `synfiqa evaluate` again") from error
    except ValueError as error:
        raise UserError(
            f"the evaluation of '{name}' in {run} is damaged ({error}); run `synfiqa evaluate` again"
        ) from error


def bars_of(evaluation: EvaluationResult) -> list[Bar]:
    """Return the bars of one evaluation; a missing figure (too few pairs for an FMR) is NaN."""
    held_out = f"{evaluation.identities} identities, {evaluation.degraded} degraded images"
    rho = _value(evaluation.spearman["model"])
    bars = [Bar(SUBJECT, "Spearman with the label", rho, 0.92, ">=", note=held_out)]
    rows = {(row.mode, row.fmr): row for row in evaluation.results if row.independent}
    for mode in MODES:
        for fmr in FMRS:
            row = rows.get((mode, fmr))
            named = f"at FMR {fmr:g}, {mode}"
            if row is None or row.discard_limit != DISCARD:
                missing = "not evaluated: too few pairs, or another evaluate.fmr or discard_limit"
                bars.append(Bar(SUBJECT, f"pAUC {named}", math.nan, 0.70, note=missing))
                bars.append(Bar(SUBJECT, f"pAUC less Laplacian's {named}", math.nan, -0.24, note=missing))
                continue
            methods = row.methods
            remark = f"on {row.embedder}, FNMR {_value(row.fnmr0):.3f}"
            remark += "".join(f", {name} {_shown(methods[name])}" for name in ("label", "sharpness", "random"))
            pauc, own = _value(methods["model"].pauc), _interval(methods["model"])
            bars.append(Bar(SUBJECT, f"pAUC {named}", pauc, 0.70, interval=own, note=remark))
            apart = next(entry for entry in row.differences if entry.other == "sharpness")
            less, paired = _value(apart.difference), _interval(apart)
            name = f"pAUC less Laplacian's {named}"
            bars.append(Bar(SUBJECT, name, less, -0.24, interval=paired, note="paired"))
    return bars


def _value(number: float | None) -> float:
    return math.nan if number is None else number


def _shown(method: Figure) -> str:
    interval = _interval(method)
    between = f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else ""
    return f"{_value(method.pauc):.3f}{between}"


def _interval(entry: Figure | Difference) -> tuple[float, float] | None:
    interval = entry.interval
    return None if interval is None or interval.low is None or interval.high is None else (interval.low, interval.high)
