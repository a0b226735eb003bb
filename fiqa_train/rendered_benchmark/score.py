"""Evaluation of qualities on a benchmark: EDC, pAUC and the figures of every ladder step."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from synfiqa.actors.quality.correlation import spearman
from synfiqa.fiqa_train.evaluation.compare import Protocol, compare, number, resolvable
from synfiqa.fiqa_train.evaluation.pairs import PairTable, pair_similarity
from synfiqa.fiqa_train.rendered_benchmark.folder import Benchmark
from synfiqa.fiqa_train.rendered_benchmark.pairs import pair_positions
from synfiqa.fiqa_train.rendered_benchmark.plan import CLEAN, LADDERS, MIXED
from synfiqa.schemas.evaluation import BenchmarkFigures, FactorResult, Step

EVALUATOR = "bundled-b"
"""Embedder of the comparisons; it takes no part in labelling."""
FMRS = (1e-3, 1e-2)
DISCARD_LIMIT = 0.3


def measure(
    benchmark: Benchmark,
    vectors: np.ndarray,
    qualities: Mapping[str, np.ndarray],
    resamples: int,
    versus: Sequence[tuple[str, str]] = (),
) -> BenchmarkFigures:
    """Return `results` as `synfiqa.fiqa_train.evaluation.compare` does, `skipped` FMRs, `spearman` and `factors`.

    `vectors` (images, D) are those of `embed_flipped`, `qualities` (images,) by method, higher being better.
    ValueError, one sentence, when the benchmark has too few pairs for every FMR. `spearman` is the rank correlation
    over probes of quality and mean similarity to the own references.
    """
    table = pair_positions(benchmark.pairs, benchmark.images["path"].to_pylist())
    fmrs, skipped = resolvable(FMRS, *table.counts)
    if not fmrs:
        raise ValueError(skipped[-1].reason)
    similarity = pair_similarity(vectors, table)
    identities = benchmark.images["identity"].to_numpy()
    seed = int(benchmark.document["settings"]["seed"])
    protocol = Protocol(fmrs, DISCARD_LIMIT, resamples, seed)
    results = compare(qualities, similarity, table, identities, protocol, versus)
    utility = mean_genuine(similarity, table, len(vectors))
    probes = ~np.isnan(utility)
    # None: every pair is accepted.
    threshold = -math.inf if results[0].threshold0 is None else results[0].threshold0
    return BenchmarkFigures(
        results=results,
        skipped=skipped,
        spearman={name: number(spearman(quality[probes], utility[probes])) for name, quality in qualities.items()},
        factors=factor_table(benchmark, qualities, similarity, table, threshold),
    )


def mean_genuine(similarity: np.ndarray, table: PairTable, count: int) -> np.ndarray:
    """Return the mean similarity (count,) of each probe to its own references, NaN for references."""
    probe, values = table.second[table.genuine], similarity[table.genuine].astype(np.float64)
    compared = np.bincount(probe, minlength=count)
    sums = np.bincount(probe, values, minlength=count)
    return np.divide(sums, compared, out=np.full(count, np.nan), where=compared > 0)


def factor_table(
    benchmark: Benchmark,
    qualities: Mapping[str, np.ndarray],
    similarity: np.ndarray,
    table: PairTable,
    threshold: float,
) -> dict[str, FactorResult]:
    """Return the `steps` of each factor, and the correlation `falls` of each method with them.

    A step has `level`, `probes`, `similarity` (mean to own references), `fnmr` at the threshold and the mean `quality`
    of each method. `falls` is the mean over identities of the Spearman correlation of a method's quality with the
    step, the clean probe being step 0; -1 where every step lowers it.
    """
    factors, steps = np.array(benchmark.images["factor"].to_pylist()), benchmark.images["step"].to_numpy()
    is_probe = np.array([role == "probe" for role in benchmark.images["role"].to_pylist()])
    identities = benchmark.images["identity"].to_numpy()
    levels = benchmark.images["level"].to_pylist()
    utility = mean_genuine(similarity, table, len(factors))
    wrong = mean_genuine((similarity <= threshold).astype(np.float64), table, len(factors))
    clean = is_probe & (factors == CLEAN)
    out: dict[str, FactorResult] = {}
    for factor in (CLEAN, *LADDERS, MIXED):
        here = is_probe & (factors == factor)
        if not here.any():
            continue
        entries = []
        for step in sorted(set(steps[here].tolist())):
            rows = here & (steps == step)
            level = levels[int(np.flatnonzero(rows)[0])]
            entries.append(
                Step(
                    step=step,
                    level=None if level is None else round(level, 4),
                    probes=int(rows.sum()),
                    similarity=number(utility[rows].mean(), 4),
                    fnmr=number(wrong[rows].mean(), 4),
                    quality={name: number(quality[rows].mean(), 4) for name, quality in qualities.items()},
                )
            )
        falls: dict[str, float | None] | None = None
        if factor in LADDERS:
            ladder = here | clean
            falls = {
                name: number(_fall(quality[ladder], steps[ladder], identities[ladder]), 4)
                for name, quality in {**qualities, "similarity": utility}.items()
            }
        out[factor] = FactorResult(steps=entries, falls=falls)
    return out


def _fall(quality: np.ndarray, steps: np.ndarray, identities: np.ndarray) -> float:
    people = np.unique(identities)
    return float(np.mean([spearman(quality[identities == one], steps[identities == one]) for one in people]))
