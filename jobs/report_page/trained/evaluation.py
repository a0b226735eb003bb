"""The evaluation by judge as drawings, tables and sentences, from `models/<name>/evaluation.json` (see
`synfiqa.schemas.evaluation`)."""

from dataclasses import dataclass

from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.report_page.data import read_result
from synfiqa.jobs.report_page.trained.operating_points import (
    MODES,
    OperatingPoint,
    figure,
    interval_sentence,
    interval_text,
    operating_point,
)
from synfiqa.schemas.evaluation import EvaluationResult, Headline, NetworkComparison, OtherVersion

_PAIRS = {
    "probe-reference": "each of a degraded probe and a clean reference",
    "all": "of any two held-out images",
}


@dataclass(frozen=True)
class Judge:
    """One recognition network: heading, sentence, and the results that it verified."""

    title: str
    about: str
    points: list[OperatingPoint]


@dataclass(frozen=True)
class Evaluation:
    """Figures for the top of the page (name, value, detail, comparison), sentences, the judges, headline's first.

    `spearman` and `pauc` are those of the model at the headline's setting, as text; `modes` says what each mode does.
    """

    headlines: list[tuple[str, str, str, str]]
    summary: str
    intervals: str
    modes: list[tuple[str, str]]
    judges: list[Judge]
    skipped: list[str]
    model_sha256: str
    spearman: str
    pauc: str
    setting: str


def read_evaluation(storage: Storage, model: str, number: int = 0) -> tuple[Evaluation | None, str]:
    """Return the evaluation of a model, or None, and a sentence when there is one of another version.

    `number` is that of the model on the page; ids of the drawings start with it.
    """
    path = f"models/{model}/evaluation.json"
    try:
        document = read_result(storage, path, EvaluationResult)
    except OtherVersion as error:
        return None, f"The evaluation in {path} is of {error}: run synfiqa evaluate, which makes it again."
    return None if document is None else _evaluation(document, f"edc-{number}"), ""


def _evaluation(document: EvaluationResult, name: str) -> Evaluation:
    headline = document.headline
    used = list(dict.fromkeys(result.mode for result in document.results))
    first = [*(r for r in document.results if r.embedder == headline.embedder), *document.results]
    names = list(dict.fromkeys(result.embedder for result in first))
    return Evaluation(
        headlines=_headlines(document),
        summary=(
            f"Error versus discard on {document.identities:,} identities {_held_out(document)}: the images "
            "of lowest quality are discarded first, and the curve is the false non-match rate (FNMR) of the rest. "
            "pAUC is the area below the curve in the shaded part, up to R, divided by what random discarding leaves: "
            "1 is chance, lower is better. The area to 0.95 is the raw area below the whole curve. The area above the "
            "ideal line, max(0, (F₀ − r) / (1 − r)) at the discarded share r, is 0 for the ideal order and 1 for "
            "chance."
        ),
        intervals=interval_sentence(document.results),
        modes=[(mode.capitalize(), MODES.get(mode, "see the documentation")) for mode in used],
        judges=[_judge(document, judge, f"{name}-{at}") for at, judge in enumerate(names)],
        skipped=[f"FMR {100 * entry.fmr:.3g} % is left out: {entry.reason}" for entry in document.skipped],
        model_sha256=document.basis.model_sha256,
        spearman=figure(document.spearman.get("model")),
        pauc=" ".join(filter(None, [figure(headline.methods["model"].pauc), _bracketed(headline)])),
        setting=f"{headline.embedder}, {headline.mode} mode, FMR {100 * headline.fmr:.3g} %",
    )


def _judge(document: EvaluationResult, judge: str, name: str) -> Judge:
    results = [result for result in document.results if result.embedder == judge]
    independent = results[0].independent
    pairs = _PAIRS.get(document.pairs, document.pairs)
    origin = (
        "It is independent of the labels."
        if independent
        else "The labels come from this network, so that it judges its own: the figures flatter."
    )
    return Judge(
        title=f"Judged by {judge}",
        about=f"Pairs are verified by the recognition network {judge}. {origin}",
        points=[
            operating_point(
                result,
                f"{document.pairs}: {pairs}" if pairs != document.pairs else pairs,
                document.impostors_sampled,
                _same_point(result, document.headline),
                f"{name}-{number}",
            )
            for number, result in enumerate(results)
        ],
    )


def _bracketed(headline: Headline) -> str:
    text = interval_text(headline.methods["model"].interval)
    return f"({text})" if text else ""


def _held_out(document: EvaluationResult) -> str:
    if not document.seen:
        return "held out from training"
    return f"that {', '.join(document.seen_by)} may have learned from (--allow-seen)"


def _same_point(result: NetworkComparison, other: Headline) -> bool:
    return (result.embedder, result.mode, result.fmr) == (other.embedder, other.mode, other.fmr)


def _headlines(document: EvaluationResult) -> list[tuple[str, str, str, str]]:
    methods, spearman = document.headline.methods, document.spearman
    model, sharpness = methods["model"], methods.get("sharpness")
    intervals = " and ".join(filter(None, [interval_text(found.interval) for found in (model, sharpness) if found]))
    return [
        (
            "Spearman with the label",
            figure(spearman["model"]),
            f"{document.degraded:,} images of {document.identities:,} held-out identities",
            f"sharpness {figure(spearman['sharpness'])}" if sharpness else "",
        ),
        (
            "pAUC of the model",
            figure(model.pauc),
            (f"95 % over identities: {intervals}; " if intervals else "") + "lower is better, 1 is chance",
            f"sharpness {figure(sharpness.pauc)}" if sharpness else "",
        ),
    ]
