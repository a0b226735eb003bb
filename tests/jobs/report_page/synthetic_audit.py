"""Writes the audit of a model that evaluate would, from seeded figures: levels of the label, and groups of people."""

import numpy as np

from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.audit import LEVELS, AuditResult, GroupAudit, GroupCurve, MethodAudit, Monotonicity, Rejection
from synfiqa.schemas.evaluation import Interval, Skipped, file_content
from tests.schemas.results import EVALUATED

GROUPS = {
    "skin tone": [f"skin tone {tone}" for tone in range(1, 11)],
    "age": ["age under 30", "age 30 to 49", "age 50 and over"],
    "sex": ["more feminine", "more masculine"],
}


def interval(value: float, width: float) -> Interval:
    return Interval(low=value - width, high=value + width, used=200, resamples=200)


def levels(slope: float, random: np.random.Generator) -> list[dict]:
    medians = slope * np.arange(len(LEVELS)) / 10 + random.normal(0, 0.02, len(LEVELS))
    return [
        {"level": level, "n": 30 + at, "median": m, "lower": m - 0.1, "upper": m + 0.12, "mean": m}
        for at, (level, m) in enumerate(zip(LEVELS, medians.tolist(), strict=True))
    ]


def group(kind: str, name: str, random: np.random.Generator) -> GroupAudit:
    pauc, share = float(random.uniform(0.5, 0.8)), float(random.uniform(0.05, 0.2))
    curve = GroupCurve(
        fmr=0.01,
        fnmr0=0.1,
        n_genuine=1200,
        n_impostor=9000,
        carriers=14,
        few_carriers=True,
        pauc=pauc,
        interval=interval(pauc, 0.08),
        note="",
        discard=[0.0, 0.3],
        fnmr=[0.1, 0.05],
    )
    return GroupAudit(
        kind=kind,
        group=name,
        identities=9,
        images=190,
        curves=[curve],
        skipped=[Skipped(fmr=0.001, reason="An FMR of 0.001 needs at least 1000000 impostor pairs.")],
        rejected=Rejection(share=share, interval=interval(share, 0.03)),
    )


def method(slope: float, random: np.random.Generator, inversions: tuple[str, ...], grouped: bool) -> MethodAudit:
    return MethodAudit(
        factors=[],
        monotonicity=Monotonicity(
            levels=levels(slope, random),
            monotone=not inversions,
            inversions=list(inversions),
            kendall=0.93,
            spearman=0.98,
        ),
        threshold=0.31,
        rejected=0.1,
        groups=[group(kind, name, random) for kind, names in GROUPS.items() for name in names] if grouped else [],
    )


def make_audit(storage: Storage, model: str = "default", grouped: bool = True) -> AuditResult:
    """Write `models/<model>/audit.json` for the model and two other methods, and return it."""
    random = np.random.default_rng(0)
    audit = AuditResult(
        basis=EVALUATED,
        name=model,
        embedder="bundled-b",
        images=360,
        degraded=320,
        reject_share=0.1,
        without_group={"age": 2},
        methods={
            "sharpness": method(0.3, random, ("Q3-Q4", "Q6-Q7"), grouped),
            "model": method(0.9, random, (), grouped),
            "random": method(0.0, random, ("Q1-Q2",), grouped),
        },
        ofiq=[],
    )
    storage.write(f"models/{model}/audit.json", file_content(audit))
    return audit
