"""Result of `synfiqa leaderboard`: scorers, test sets, judges and false match rates on one page."""

from pydantic import Field

from synfiqa.schemas.evaluation import NetworkComparison, Result, ResultFile, ScoreFileRecord, Skipped


class RankCorrelation(Result):
    """Spearman's rank correlation of each two scorers over the images or templates of a set."""

    scorers: list[str] = Field(description="scorers in the order of rows and columns")
    values: list[list[float]] = Field(description="correlations, -1..1, symmetric; 0 where one scorer is constant")


class SetFigures(Result):
    """All scorers on one test set."""

    name: str = Field(description="name of the set; run: the held-out identities of the run")
    protocol: str = Field(description="what is compared, in a sentence")
    identities: int | None = Field(None, ge=0, description="people; None where only pairs are known")
    images: int = Field(ge=0, description="images with a score")
    results: list[NetworkComparison] = Field(description="by judge, mode and FMR")
    skipped: list[Skipped] = Field(description="FMRs that the pairs are too few for")
    score_files: list[ScoreFileRecord] = Field(default_factory=list, description="files of `--scores` of this set")
    correlation: RankCorrelation | None = Field(None, description="agreement of the scorers on the order of images")


class ScorerCost(Result):
    """Speed of one scorer on the machine of the leaderboard, on aligned faces."""

    scorer: str = Field(description="name of the row")
    threads: int = Field(ge=1, description="CPU threads of a network")
    single_per_s: float = Field(ge=0, description="faces a second, one in a call")
    batch: int = Field(ge=1, description="faces of a batch")
    batch_per_s: float = Field(ge=0, description="faces a second in such batches")
    cpu_ms: float = Field(ge=0, description="processor milliseconds of a face in such batches, summed over threads")


class Beaten(Result):
    """A method whose pAUC is above that of the best simple measure of one set, judge, mode and FMR."""

    method: str = Field(description="scorer with the higher pAUC")
    simple: str = Field(description="simple measure with the lowest pAUC")
    set: str = Field(description="name of the test set")
    judge: str = Field(description="recognition network that verified the pairs")
    mode: str = Field(description="leaderboard or iso")
    fmr: float = Field(gt=0, lt=1, description="target false match rate")
    pauc: float = Field(description="pAUC of the method")
    simple_pauc: float = Field(description="pAUC of the simple measure")
    apart: bool = Field(description="whether their 95 % intervals do not overlap")


class Spread(Result):
    """pAUC of models that differ in their training seed alone, on one set, judge, mode and FMR."""

    group: str = Field(description="common name: NAME of NAME-s0, NAME-s1, ...")
    members: list[str] = Field(min_length=2, description="the models")
    set: str = Field(description="name of the test set")
    judge: str = Field(description="recognition network that verified the pairs")
    mode: str = Field(description="leaderboard or iso")
    fmr: float = Field(gt=0, lt=1, description="target false match rate")
    mean: float = Field(description="mean pAUC of the members")
    low: float = Field(description="smallest pAUC")
    high: float = Field(description="largest pAUC")


class PublishedRow(Result):
    """Figures that others published, on test sets that a leaderboard of one run does not have."""

    method: str = Field(description="name in the publication")
    source: str = Field(description="where it stands")
    protocol: str = Field(description="metric, test sets, recogniser, as far as they are stated")
    pauc: dict[str, float] = Field(description="pAUC by FMR, as written")


class LeaderboardResult(ResultFile):
    """Content of `leaderboard.json`."""

    run: str = Field(description="fingerprint of the run")
    dataset_sha256: str = Field(description="digest of its labelled dataset")
    config: str = Field(description="digest of the sections `evaluate` and `leaderboard`")
    quick: bool = Field(description="whether identities and resamples were reduced")
    scorers: list[str] = Field(min_length=1, description="in the order of the page")
    sets: list[SetFigures] = Field(min_length=1, description="in the order of the page")
    spreads: list[Spread] = Field(description="models that differ in their seed alone")
    costs: list[ScorerCost] = Field(default_factory=list, description="speed of the scorers, where it was measured")
    beaten: list[Beaten] = Field(default_factory=list, description="methods that a simple measure beats")
    published: list[PublishedRow] = Field(description="rows of publications, to be read with their protocol")
    left_out: list[str] = Field(description="sets, judges, models and scorers that are not on the page, and why")
