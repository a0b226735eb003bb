"""Results of evaluate, of the rendered benchmark and of training, as the JSON files that hold them.

pAUC is the area below the error-versus-discard curve over discard fractions 0..R, divided by F_0 * R: 1 where
discarding by quality helps no more than by chance, lower is better. Figures are None where they have no value.
"""

import json
from typing import Any, ClassVar, Final, Literal

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from synfiqa.schemas.errors import first_fault
from synfiqa.schemas.manifest import Record

VERSION: Final = 1
"""Version of the result files; older files have no such key."""

JUDGE: Final = "judge f_r"
"""Name of the method that is the judge's own recognition of an image, the mean cosine to its identity's references: the
limit that a forecast of this recogniser can reach, since its decisions rest on the same cosines."""


class OtherVersion(ValueError):
    """Signals a result file of another version; the message names the version."""


class Result(Record):
    """Base of results: no NaN and no infinity, so that every file is plain JSON."""

    model_config = ConfigDict(allow_inf_nan=False)


class ResultFile(Result):
    """Base of results that are a file of their own."""

    UNVERSIONED: ClassVar[int | None] = None
    """Version that a file without one is read as; None: it is of another version."""

    version: Literal[1] = Field(VERSION, description="version of the file")


class Interval(Result):
    """95 % interval of a pAUC, of a difference of two, or of a share of images, by identity-level bootstrap."""

    low: float | None = Field(description="2.5 % quantile; None when no resample has a value")
    high: float | None = Field(description="97.5 % quantile; None when no resample has a value")
    used: int = Field(ge=0, description="resamples with a value, that is with F_0 > 0")
    resamples: int = Field(ge=0, description="resamples drawn")


class Figure(Result):
    """pAUC of one method."""

    pauc: float | None = Field(description="None when F_0 is 0, or discarding leaves no pairs")
    interval: Interval | None = Field(description="of pAUC; None without bootstrap")


class Method(Figure):
    """Error-versus-discard curve of one method, with its pAUC."""

    above_ideal: float | None = Field(
        None, description="area above the ideal line max(0, (F_0 - r) / (1 - r)): 0 is ideal, 1 is chance"
    )
    auc: float | None = Field(None, description="raw area below the curve over discarded shares 0..0.95")
    note: str = Field(description="why pAUC has no value, in a sentence; else empty")
    discard: list[float] = Field(description="discarded share of the pairs, 0..1, ascending")
    fnmr: list[float | None] = Field(description="false non-match rate of the others, 0..1, one for each share")


class Difference(Result):
    """pAUC of `method` minus pAUC of `other` on the same pairs; below 0 the former is better."""

    method: str = Field(description="method that is compared")
    other: str = Field(description="method that it is compared with")
    difference: float | None = Field(description="None when one of both has no value")
    interval: Interval | None = Field(description="of the difference, on paired resamples; None without bootstrap")


class Setting(Result):
    """Setting of a comparison, and the error rate without discarding."""

    mode: str = Field(description="leaderboard or iso, see synfiqa.fiqa_train.evaluation.edc")
    fmr: float = Field(gt=0, lt=1, description="target false match rate")
    discard_limit: float = Field(gt=0, lt=1, description="R, largest discarded share")
    fnmr0: float | None = Field(description="F_0, false non-match rate without discarding, 0..1")


class Comparison(Setting):
    """All methods on the same pairs, in one mode and at one FMR."""

    threshold0: float | None = Field(description="cosine above which a pair is accepted, without discarding, -1..1")
    n_genuine: int = Field(ge=0, description="genuine pairs")
    n_impostor: int = Field(ge=0, description="impostor pairs")
    carriers: int | None = Field(None, ge=0, description="distinct identity pairs above the threshold")
    few_carriers: bool = Field(False, description="whether those are fewer than 20: one of them moves the figures")
    methods: dict[str, Method] = Field(description="by name of the method")
    differences: list[Difference] = Field(description="paired comparisons of methods")


class Recogniser(Result):
    """Recognition network that verified the pairs."""

    embedder: str = Field(description="name of its card")
    independent: bool = Field(description="false for the network that the labels came from")


# Pydantic orders fields from the last base to the first: the network stands first in the file.
class NetworkComparison(Comparison, Recogniser):
    """A comparison and the network that it was made with."""


class Skipped(Result):
    """FMR that the pairs are too few for."""

    fmr: float = Field(gt=0, lt=1, description="target false match rate")
    reason: str = Field(description="one sentence")


class Headline(Setting):
    """Figure to quote first."""

    embedder: str = Field(description="recognition network that verified the pairs")
    methods: dict[str, Figure] = Field(description="by name of the method")


class TrainingBasis(Result):
    """Everything that decides a trained model."""

    train: dict[str, Any] = Field(description="section `train` without the fields that decide no weight")
    seed: int = Field(description="`run.seed`")
    label: str = Field(description="name of the label pass")
    label_sha256: str = Field(description="digest of its label files")
    dataset_sha256: str = Field(description="digest of the labelled dataset")
    run_fingerprint: str = Field(description="fingerprint of the run")
    embedder: str | None = Field(None, description="network of the initial weights; None: they were random")
    embedder_sha256: str | None = Field(None, description="its digest; None: they were random")
    teacher_sha256: dict[str, str] | None = Field(
        None, description="digest of the teacher's weights, of a distillation"
    )
    sources_sha256: dict[str, str] | None = Field(None, description="digests of the sources beside the run, by name")
    watched_sha256: dict[str, str] | None = Field(None, description="digests of the test sets watched, by name")

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = handler(self)
        return {key: value for key, value in document.items() if value is not None}


class Epoch(Result):
    """Measures after one epoch of training."""

    epoch: int = Field(ge=1, description="number of the epoch, from 1")
    loss: float = Field(description="mean over the batches of the epoch")
    validation_spearman: float | None = Field(None, description="rank correlation of scores and labels, -1..1")
    validation_error: float | None = Field(None, description="mean absolute difference of scores and labels")


class TrainingResult(ResultFile):
    """Content of `models/<name>/metrics.json`, written last: the model is finished if and only if it exists."""

    # A model that was finished before files had versions stays finished: its file has the same fields.
    UNVERSIONED: ClassVar[int | None] = VERSION

    name: str = Field(description="name of the model")
    model_sha256: str = Field(description="digest of model.safetensors")
    best_epoch: int = Field(ge=1, description="epoch whose weights were kept")
    validation_spearman: float = Field(description="of that epoch, -1..1")
    validation_error: float = Field(description="of that epoch")
    train_images: int = Field(ge=0, description="images trained on")
    identities: dict[str, int] = Field(description="identities of each split: train, validation, test")
    history: list[Epoch] = Field(description="every epoch, in order")
    basis: TrainingBasis = Field(description="all that decides the model, as in train.json")


class ScoreFileRecord(Result):
    """File of `--scores` that one method comes from."""

    name: str = Field(description="name of the method")
    sha256: str = Field(description="digest of the file, hex; with `:COMPONENT` of a CSV of OFIQ")
    rows: int = Field(ge=0, description="images with a score in it")
    unmatched: int = Field(ge=0, description="of these, names that are no image of the evaluation")


class EvaluationBasis(Result):
    """Everything that decides an evaluation."""

    model_sha256: str = Field(description="digest of the model's weights; empty when it is not known")
    training: TrainingBasis | None = Field(description="basis of the model's training; None when it is not known")
    evaluate: dict[str, Any] = Field(description="section `evaluate`")
    evaluation_embedder: str = Field(description="`models.evaluation_embedder`")
    label_embedder: str = Field(description="embedder of the labels' f_r")
    embedders: dict[str, str] = Field(description="digest of each embedder")
    inputs: dict[str, dict[str, Any]] = Field(description="what the card of each embedder states about its input")
    scorers: dict[str, str] = Field(
        description="digests of the weights that scorers read beside the model, and of the files of `--scores`"
    )
    seed: int = Field(description="`run.seed`")


class EvaluationResult(ResultFile):
    """Content of `models/<name>/evaluation.json`, written last.

    Methods are those of `evaluate.scorers`, among them `model` and `label` (the oracle).
    """

    basis: EvaluationBasis = Field(description="all that decides the evaluation")
    name: str = Field(description="name of the model")
    identities: int = Field(ge=0, description="held-out identities")
    images: int = Field(ge=0, description="held-out images")
    degraded: int = Field(ge=0, description="degraded ones among them, which have a label")
    n_genuine: int = Field(ge=0, description="genuine pairs")
    n_impostor: int = Field(ge=0, description="impostor pairs")
    impostors_sampled: bool = Field(description="whether the impostor pairs are a sample of all")
    pairs: str = Field(description="which pairs count: probe-reference or all, as in `evaluate.pairs`")
    spearman: dict[str, float | None] = Field(
        description="rank correlation with the label over degraded images by method, -1..1"
    )
    results: list[NetworkComparison] = Field(min_length=1, description="by network, mode and FMR")
    skipped: list[Skipped] = Field(description="FMRs without a result")
    seen: bool = Field(False, description="whether a model may have learned from identities of this evaluation")
    seen_by: list[str] = Field(default_factory=list, description="these models, by name of the method")
    score_files: list[ScoreFileRecord] = Field(default_factory=list, description="files of `--scores`")
    headline: Headline = Field(description="figure to quote first")


IdentitySource = Literal["given", "linked by genuine pairs"]
"""Where identities come from: names or numbers of the set, or its genuine pairs, which link images of one person."""


class SetId(Result):
    """Test set that was measured on."""

    name: str = Field(description="NAME of `--on NAME=PATH`")
    format: str = Field(description="format that its path was recognised as")
    sha256: str = Field(description="digest of all that the figures depend on, hex")
    protocol: str = Field(description="what is compared, a sentence")
    crops: str = Field(description="where the aligned faces come from")


class SetBasis(EvaluationBasis):
    """Everything that decides an evaluation on a test set."""

    test_set: SetId = Field(description="what was measured on")


class LeftOut(Result):
    """Something that is left out of an evaluation."""

    name: str = Field(description="scorer of `evaluate.scorers`, or id of an image or template")
    reason: str = Field(description="why, in words")


class SetEvaluation(ResultFile):
    """Content of `models/<name>/evaluation-<NAME>.json`, written last: the model on one test set.

    Pairs of an image (or template) without a face are left out, genuine and impostor alike: they would measure the
    detector.
    """

    basis: SetBasis = Field(description="all that decides the evaluation")
    name: str = Field(description="name of the model")
    images: int = Field(ge=0, description="images of the set")
    templates: int | None = Field(description="templates of the set; None where images are compared")
    identities: int = Field(ge=0, description="identities of the images or templates")
    identities_from: IdentitySource = Field(description="where identities come from; intervals are drawn by them")
    without_face: int = Field(ge=0, description="images without a usable face")
    left_out: list[LeftOut] = Field(description="the first 100 of them, with the reason")
    pairs_left_out: int = Field(ge=0, description="pairs that they would be in")
    n_genuine: int = Field(ge=0, description="genuine pairs compared")
    n_impostor: int = Field(ge=0, description="impostor pairs compared")
    impostors_sampled: bool = Field(description="whether the impostor pairs are a sample of all")
    pairs: str = Field(description="which pairs count: listed, probe-reference or all")
    repeated_pairs: int = Field(ge=0, description="listed pairs that are there more than once; they stay")
    contradictory_pairs: int = Field(ge=0, description="impostor pairs of one identity by other pairs; they stay")
    scorers_left_out: list[LeftOut] = Field(description="scorers of `evaluate.scorers` that cannot be used here")
    results: list[NetworkComparison] = Field(min_length=1, description="by network, mode and FMR")
    skipped: list[Skipped] = Field(description="FMRs without a result")
    seen: bool = Field(False, description="whether a model may have learned from people of the set")
    seen_by: list[str] = Field(default_factory=list, description="these models, by name of the method")
    score_files: list[ScoreFileRecord] = Field(default_factory=list, description="files of `--scores`")
    headline: Headline = Field(description="figure to quote first")


class OpinionBasis(Result):
    """Everything that decides an evaluation on a set with opinion scores."""

    model_sha256: str = Field(description="digest of the model's weights; empty when it is not known")
    scorers: dict[str, str] = Field(description="digests of the weights that other scorers read, by name")
    methods: list[str] = Field(description="model and scorers that were compared")
    test_set: SetId = Field(description="what was measured on")


class OpinionFigures(Result):
    """Agreement of one method with opinion scores."""

    srcc: float = Field(description="Spearman's rank correlation, -1..1")
    krcc: float = Field(description="Kendall's rank correlation, -1..1")
    plcc: float = Field(description="Pearson correlation of scores as they are, as DSL-FIQA publishes it, -1..1")
    plcc_mapped: float = Field(description="Pearson correlation after the logistic mapping of five parameters")
    rmse_mapped: float = Field(description="root mean squared error after the mapping, on the scale of opinions")


class OpinionEvaluation(ResultFile):
    """Content of `models/<name>/opinions-<NAME>.json`: agreement of model and scorers with opinion scores."""

    basis: OpinionBasis = Field(description="all that decides the evaluation")
    name: str = Field(description="name of the model")
    images: int = Field(ge=0, description="images of the set")
    results: dict[str, OpinionFigures] = Field(description="by name of the method")


class Step(Result):
    """Probes of one step of a factor."""

    step: int = Field(ge=0, description="number of the step; the clean probe is 0")
    level: float | None = Field(description="strength in the unit of the factor; None where it has none")
    probes: int = Field(ge=1, description="images of the step")
    similarity: float | None = Field(description="mean cosine to the own references, -1..1")
    fnmr: float | None = Field(description="false non-match rate at the threshold of the lowest FMR, 0..1")
    quality: dict[str, float | None] = Field(description="mean quality by method")


class FactorResult(Result):
    """Steps of one factor of the rendered benchmark."""

    steps: list[Step] = Field(description="ascending")
    falls: dict[str, float | None] | None = Field(
        None,
        description="by method and for `similarity`: mean over identities of the rank correlation with the step, -1 "
        "where every step lowers it; None for a factor without ladder",
    )

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = handler(self)
        return {key: value for key, value in document.items() if key != "falls" or value is not None}


class BenchmarkFigures(Result):
    """What a quality model measures on a benchmark."""

    results: list[Comparison] = Field(min_length=1, description="by mode and FMR")
    skipped: list[Skipped] = Field(description="FMRs without a result")
    spearman: dict[str, float | None] = Field(
        description="rank correlation with the mean cosine to the own references over probes by method, -1..1"
    )
    factors: dict[str, FactorResult] = Field(description="by factor, with `clean` and `mixed`")


class BenchmarkId(Result):
    """Benchmark that was measured on, from its `benchmark.json`."""

    version: int = Field(description="version of the benchmark")
    digest: str = Field(description="SHA-256 over settings and tables, hex")
    settings: dict[str, Any] = Field(description="seed, counts and factors that it was made with")
    faces: dict[str, Any] = Field(description="versions of the rendered faces")
    counts: dict[str, Any] = Field(description="identities, images and pairs")


class Network(Result):
    """Name and digest of a network."""

    name: str = Field(description="name of its card")
    sha256: str = Field(description="digest of its weights, hex")


class BenchmarkHead(ResultFile):
    """Version of the file, benchmark and networks."""

    benchmark: BenchmarkId = Field(description="what was measured on")
    evaluator: Network = Field(description="recognition network that verified the pairs")
    model: Network = Field(description="quality model")


class BenchmarkResult(BenchmarkFigures, BenchmarkHead):
    """Content of the file that `synfiqa benchmark score` writes."""


def parse[R: ResultFile](kind: type[R], document: Any) -> R:
    """Return a result from its JSON document.

    OtherVersion when it is of another version, ValueError with a clause when it is damaged.
    """
    if not isinstance(document, dict):
        raise ValueError("it holds no JSON object")
    version = document.get("version", kind.UNVERSIONED)
    if version != VERSION:
        raise OtherVersion("a version without number" if version is None else f"version {version}")
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise ValueError(first_fault(error)) from None


def file_content(result: ResultFile, *, sort_keys: bool = False) -> bytes:
    """Return the content of a result's file."""
    return json.dumps(result.model_dump(mode="json"), indent=1, sort_keys=sort_keys, allow_nan=False).encode() + b"\n"
