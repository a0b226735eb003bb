"""The audit of quality scorers on held-out images of a run, as the JSON file that holds it.

Scores are set against each commanded factor of degradation, against the levels of the label, and against the groups of
people; higher scores are better. Figures are None where they have no value.
"""

from typing import Final

from pydantic import Field

from synfiqa.schemas.evaluation import EvaluationBasis, Interval, Result, ResultFile, Skipped

LEVELS: Final = (*(f"Q{decile}" for decile in range(10)), "Ref")
"""Levels of quality from the worst decile of the label to the clean references."""

GROUP_KINDS: Final = ("skin tone", "age", "sex")
"""What people are grouped by, as the identity generator records it."""


class Spread(Result):
    """Scores of some images: number, median and quartiles."""

    n: int = Field(ge=0, description="images")
    median: float | None = Field(description="median score; None without images")
    lower: float | None = Field(description="25 % quantile")
    upper: float | None = Field(description="75 % quantile")


class Bin(Spread):
    """Scores of the degraded images between two severities of a factor."""

    severity: float = Field(ge=0, description="median severity of the images; 0 in the neutral bin, which stands first")
    low: float = Field(ge=0, description="least severity")
    high: float = Field(ge=0, description="largest severity")
    value: float | None = Field(
        description="median of the factor in `unit`, its absolute value where it has signs; None where the severity is "
        "computed of several columns"
    )


class FactorAudit(Result):
    """Scores against one severity of one factor, over degraded images; other factors vary along."""

    factor: str = Field(description="field of the recipe, such as pose.yaw")
    severity: str = Field(description="name of the severity, such as yaw; a factor can have several")
    title: str = Field(description="title of the factor")
    unit: str = Field(description="unit of the factor's value")
    iso: str = Field(description="quality components of ISO/IEC 29794-5 that it lowers; empty: none")
    n: int = Field(ge=0, description="degraded images")
    neutral_share: float | None = Field(description="share of them with severity 0, 0..1")
    spearman: float | None = Field(
        description="rank correlation of score and severity over the images with a severity above 0, -1..1; None where "
        "they are fewer than 3 or all equal"
    )
    spearman_all: float | None = Field(description="the same over all degraded images")
    line: list[Bin] = Field(
        description="the neutral bin where there are such images, then bins of equal numbers of images by severity, "
        "ascending: the line of medians"
    )


class LevelAudit(Spread):
    """Scores at one level of quality."""

    level: str = Field(description="Q0 (worst) to Q9: deciles of the label over degraded images; Ref: references")
    mean: float | None = Field(description="mean score; None without images")


class Monotonicity(Result):
    """Whether scores ascend with the levels of quality."""

    levels: list[LevelAudit] = Field(description="of `LEVELS`, in this order; levels without images have n 0")
    monotone: bool = Field(description="whether each median is above the one before")
    inversions: list[str] = Field(description="neighbours whose medians do not ascend, such as Q3-Q4")
    kendall: float | None = Field(description="Kendall's tau-b of level and median, -1..1")
    spearman: float | None = Field(description="Spearman's rank correlation of level and median, -1..1")


class GroupCurve(Result):
    """Error-versus-discard curve of the pairs inside one group at one FMR, in leaderboard mode."""

    fmr: float = Field(gt=0, lt=1, description="target false match rate, at a threshold of the group's own pairs")
    fnmr0: float | None = Field(description="F_0, false non-match rate without discarding, 0..1")
    n_genuine: int = Field(ge=0, description="genuine pairs")
    n_impostor: int = Field(ge=0, description="impostor pairs")
    carriers: int | None = Field(ge=0, description="distinct identity pairs above the threshold")
    few_carriers: bool = Field(description="whether those are fewer than 20: one of them moves the figures")
    pauc: float | None = Field(description="None when F_0 is 0, or discarding leaves no pairs")
    interval: Interval | None = Field(description="of pAUC, over identities of the group; None without bootstrap")
    note: str = Field(description="why pAUC has no value, in a sentence; else empty")
    discard: list[float] = Field(description="discarded share of the pairs, 0..1, ascending")
    fnmr: list[float | None] = Field(description="false non-match rate of the others, 0..1, one for each share")


class Rejection(Result):
    """Share of a group's images that the common threshold rejects."""

    share: float = Field(ge=0, le=1, description="share of the group's images with a score below the threshold")
    interval: Interval | None = Field(description="of this share, over identities of the group; None without bootstrap")


class GroupAudit(Result):
    """One scorer on the people of one group."""

    kind: str = Field(description="skin tone, age or sex")
    group: str = Field(description="name of the group, such as skin tone 7")
    identities: int = Field(ge=1, description="held-out identities of the group")
    images: int = Field(ge=1, description="held-out images of them")
    curves: list[GroupCurve] = Field(description="by FMR, those that the group's pairs can carry; none of `random`")
    skipped: list[Skipped] = Field(description="the other FMRs with the reason")
    rejected: Rejection = Field(description="images that the common threshold rejects")


class MethodAudit(Result):
    """Audit of one scorer."""

    factors: list[FactorAudit] = Field(description="every severity of the table of factors, in its order")
    monotonicity: Monotonicity = Field(description="over the levels of quality")
    threshold: float = Field(description="common threshold: scores below it are rejected")
    rejected: float = Field(ge=0, le=1, description="share of all images below it; not `reject_share` where scores tie")
    groups: list[GroupAudit] = Field(description="by kind and group; empty where no attributes are recorded")


class OfiqAudit(Result):
    """A severity against a component of ISO/IEC 29794-5 that its factor lowers, from a CSV of OFIQ."""

    source: str = Field(description="NAME of `--scores NAME=FILE`")
    factor: str = Field(description="field of the recipe")
    severity: str = Field(description="name of the severity")
    component: str = Field(description="column of the file, without .scalar, such as HeadPoseYaw")
    n: int = Field(ge=0, description="degraded images that the component was assessed on")
    failed: int = Field(ge=0, description="degraded images with -1 in this column; left out")
    neutral_share: float | None = Field(description="share of the n images with severity 0, 0..1")
    spearman: float | None = Field(
        description="rank correlation of component and severity over the images with a severity above 0, -1..1; -1 "
        "where the component falls with every step; None where they are fewer than 3 or all equal"
    )
    spearman_all: float | None = Field(description="the same over all n images")


class AuditResult(ResultFile):
    """Content of `models/<name>/audit.json`, written before the `evaluation.json` of the same basis."""

    basis: EvaluationBasis = Field(description="all that decides the audit, as in evaluation.json")
    name: str = Field(description="name of the model")
    embedder: str = Field(description="recognition network that verified the pairs of groups: the headline judge")
    images: int = Field(ge=0, description="held-out images")
    degraded: int = Field(ge=0, description="degraded ones among them")
    reject_share: float = Field(gt=0, lt=1, description="share of all images that the threshold is chosen to reject")
    without_group: dict[str, int] = Field(
        description="identities whose skin tone, age or sex is not recorded, by what is missing"
    )
    methods: dict[str, MethodAudit] = Field(description="by name of the method, as in evaluation.json")
    ofiq: list[OfiqAudit] = Field(description="by file, factor and component; empty without a CSV of OFIQ")
