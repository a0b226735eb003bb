"""Whole results of evaluate and of the rendered benchmark, small, for tests of what reads them."""

from synfiqa.schemas.evaluation import (
    BenchmarkResult,
    Comparison,
    Difference,
    EvaluationResult,
    Headline,
    Interval,
    Method,
    NetworkComparison,
    TrainingBasis,
)

TRAINING = TrainingBasis(
    train={"initialise": "embedder"},
    seed=0,
    label="default",
    label_sha256="1" * 64,
    dataset_sha256="2" * 64,
    run_fingerprint="3" * 64,
    embedder="bundled-a",
    embedder_sha256="4" * 64,
)
EVALUATED = {
    "model_sha256": "d" * 64,
    "training": TRAINING,
    "evaluate": {"fmr": [0.01]},
    "evaluation_embedder": "bundled-b",
    "label_embedder": "bundled-a",
    "embedders": {"bundled-b": "5" * 64},
    "inputs": {"bundled-b": {"input_size": 112}},
    "scorers": {},
    "seed": 0,
}


def interval(low: float | None, high: float | None) -> Interval:
    """Return an interval of 200 resamples."""
    return Interval(low=low, high=high, used=200, resamples=200)


def method(pauc: float | None, bounds: Interval | None = None) -> Method:
    """Return a method with this pAUC and a short curve."""
    return Method(pauc=pauc, note="", discard=[0.0, 0.3], fnmr=[0.2, 0.1], interval=bounds)


def comparison(
    mode: str, fmr: float, methods: dict[str, Method], differences: tuple[Difference, ...] = ()
) -> Comparison:
    """Return a comparison of these methods."""
    return Comparison(
        mode=mode,
        fmr=fmr,
        discard_limit=0.3,
        fnmr0=0.2,
        threshold0=0.4,
        n_genuine=4416,
        n_impostor=69120,
        methods=methods,
        differences=list(differences),
    )


def by_network(embedder: str, independent: bool, found: Comparison) -> NetworkComparison:
    """Return a comparison with the network that it was made with."""
    return NetworkComparison(embedder=embedder, independent=independent, **dict(found))


def evaluation(results: list[NetworkComparison], spearman: dict[str, float | None], **changes) -> EvaluationResult:
    """Return an evaluation whose headline is the first of the results."""
    first = results[0]
    figures = {name: found.model_dump(include={"pauc", "interval"}) for name, found in first.methods.items()}
    whole = {
        "basis": EVALUATED,
        "name": "default",
        "identities": 16,
        "images": 384,
        "degraded": 320,
        "n_genuine": first.n_genuine,
        "n_impostor": first.n_impostor,
        "impostors_sampled": False,
        "pairs": "probe-reference",
        "spearman": spearman,
        "results": results,
        "skipped": [],
        "headline": Headline(
            **first.model_dump(include={"embedder", "mode", "fmr", "discard_limit", "fnmr0"}), methods=figures
        ),
    }
    return EvaluationResult(**whole | changes)


def scores(results: list[Comparison], spearman: dict[str, float | None], factors: dict) -> BenchmarkResult:
    """Return scores of a benchmark."""
    return BenchmarkResult(
        benchmark={"version": 1, "digest": "6" * 64, "settings": {}, "faces": {}, "counts": {}},
        evaluator={"name": "bundled-b", "sha256": "5" * 64},
        model={"name": "mine", "sha256": "7" * 64},
        results=results,
        skipped=[],
        spearman=spearman,
        factors=factors,
    )
