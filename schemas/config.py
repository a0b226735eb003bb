"""The run config: one pydantic tree, every value checked before any actor starts."""

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from synfiqa.schemas.recipe import Profile

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Interval = tuple[float, float]
Precision = Literal["float32", "bfloat16", "float16"]


class Section(BaseModel):
    """Base of every section: unknown keys are errors, values are immutable once checked."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class RunSection(Section):
    """Where the run lives and the one seed that everything derives from."""

    url: str = Field("runs/quickstart", min_length=1, description="folder or fsspec URL of the run")
    seed: int = Field(0, ge=0, lt=2**63)


Rate = Annotated[float, Field(ge=0, le=1)]


DARK_BELOW, BRIGHT_FROM = 0.5, 1.6
"""Exposure gains beyond which a picture counts as badly exposed; recipes without that fault stay between them."""

_LIMITS = {
    "motion": (0.1, 30),
    "noise": (0.1, 80),
    "exposure": (0.001, 16),
    "cast": (0.01, 1),
    "coarse_jpeg": (1, 100),
    "misalignment": (0.1, 90),
    "near_camera": (1.2, 100),
}


class DegradedSection(Section):
    """How degraded samples are drawn. Angles in degrees, rates and strengths in 0..1.

    From `motion_rate` on: faults of the camera and of the aligner, which only the profile `corrected` draws. A rate is
    the share of samples that show the fault; its strength is log-uniform in the range, so that severe ones are rare.
    """

    yaw_std: float = Field(28.0, ge=0, le=90)
    pitch_std: float = Field(10.0, ge=0, le=45)
    roll_std: float = Field(7.0, ge=0, le=90)
    expression_rate: float = Field(0.4, ge=0, le=1)
    harsh_light_rate: float = Field(0.3, ge=0, le=1)
    occluder_rate: float = Field(0.3, ge=0, le=1)
    scale_intervals: tuple[Interval, ...] = Field(
        ((0.82, 1.6), (1.6, 2.5), (2.5, 4.0), (4.0, 8.0)),
        description="intervals that the down-sampling factor s and the blur level b are drawn from, clamped to >= 1",
    )
    scale_weights: tuple[float, ...] = Field(
        (0.80, 0.10, 0.08, 0.02), description="probability of each interval; the published values"
    )
    jpeg_quality: tuple[int, int] = Field((75, 75), description="inclusive range of JPEG quality")
    motion_rate: Rate = 0.12
    motion: Interval = Field((2.0, 30.0), description="length of a straight shake in pixels of the crop, at most 30")
    noise_rate: Rate = 0.2
    noise: Interval = Field((3.0, 45.0), description="sensor noise in grey levels, at most 80")
    exposure_rate: Rate = 0.15
    exposure: Interval = Field(
        (0.05, 4.0), description="half are too dark, from .5 down to the first gain, half too bright, from 1.6 up"
    )
    cast_rate: Rate = 0.12
    cast: Interval = Field((0.15, 1.0), description="strength of a coloured light or wrong white balance")
    jpeg_rate: Rate = Field(0.25, description="share that is stored worse than jpeg_quality says")
    coarse_jpeg: tuple[int, int] = Field((4, 60), description="inclusive range of the quality of those")
    misalignment_rate: Rate = 0.12
    misalignment: Interval = Field((4.0, 90.0), description="degrees of rotation that the aligner missed")
    near_camera_rate: Rate = 0.15
    near_camera: Interval = Field((1.3, 3.5), description="distance of a near camera in head heights; others 4 to 10")

    @field_validator(*_LIMITS)
    @classmethod
    def _in_order(cls, interval: Interval, info: ValidationInfo) -> Interval:
        least, most = _LIMITS[str(info.field_name)]
        low, high = interval
        if not least <= low <= high <= most:
            raise ValueError(f"it must satisfy {least:g} <= low <= high <= {most:g}")
        if info.field_name == "exposure" and not (low <= DARK_BELOW and high >= BRIGHT_FROM):
            raise ValueError(f"it must reach from a low of at most {DARK_BELOW} to a high of at least {BRIGHT_FROM}")
        return interval

    @model_validator(mode="after")
    def _check(self) -> "DegradedSection":
        if len(self.scale_intervals) != len(self.scale_weights):
            raise ValueError("scale_intervals and scale_weights must have the same length")
        if abs(sum(self.scale_weights) - 1) > 1e-6 or min(self.scale_weights) < 0:
            raise ValueError(f"scale_weights must be >= 0 and sum to 1, not {sum(self.scale_weights):g}")
        if any(not 0 < low <= high <= 8 for low, high in self.scale_intervals):
            raise ValueError("each of scale_intervals must satisfy 0 < low <= high <= 8")
        low, high = self.jpeg_quality
        if not 1 <= low <= high <= 100:
            raise ValueError("jpeg_quality must satisfy 1 <= low <= high <= 100")
        return self


Weight = Annotated[float, Field(ge=0)]
SkinTones = tuple[Weight, ...]


class GenerateSection(Section):
    """What is made: identities, samples of each, and how candidates are packed."""

    identities: int = Field(64, ge=1, description="accepted identities wanted")
    max_candidates: int = Field(0, ge=0, description="give up after so many candidates; 0 means 20 per identity")
    candidates_per_unit: int = Field(16, ge=1, le=4096)
    identities_per_shard: int = Field(8, ge=1, le=4096)
    references: int = Field(4, ge=2, le=100, description="reference images per identity (R)")
    degraded: int = Field(20, ge=1, le=1000, description="degraded samples per identity (D)")
    portrait_size: int = Field(128, ge=64, le=1024, description="side of a rendered portrait in pixels")
    skin_tones: SkinTones = Field(
        (1.0,) * 10,
        min_length=10,
        max_length=10,
        description="how often rendered candidates have each of the ten tones of the Monk scale, 1 lightest",
    )
    micro_batch: int = Field(8, ge=1, le=1024, description="images per model call; part of the recipe")
    profile: Profile = Field("corrected", description="degradation operators: corrected, or as released")
    degraded_distribution: DegradedSection = DegradedSection()

    @field_validator("skin_tones")
    @classmethod
    def _some_tone(cls, weights: SkinTones) -> SkinTones:
        if not any(weights):
            raise ValueError("at least one weight must be above 0")
        return weights

    @property
    def candidate_limit(self) -> int:
        """Most candidates that are made before the run gives up."""
        return self.max_candidates or 20 * self.identities


class DiffusionSection(Section):
    """How pictures are made where models.conditional_generator is diffusion; generate.profile decides on its details.

    A picture without a face, of another person or with numbers that are not finite is made again from a new seed.
    """

    templates: str = Field("", description="file of a template bank; empty: drawn from generate.degraded_distribution")
    tries: int = Field(3, ge=1, le=100, description="pictures of one sample until it is rejected with its reason")
    min_identity: float = Field(
        -1.0, ge=-1, le=1, description="cosine to the identity below which a picture shows another person; -1: never"
    )
    renderer: Literal["torch", "pytorch3d"] = Field("torch", description="who draws control maps; both draw the same")


class FilterSection(Section):
    """When a candidate becomes an identity; each rule keeps its reason and measured value."""

    profile: Profile = Field("corrected", description="faithful: as released, see synfiqa.actors.filter_rules")
    min_detection: float = Field(0.7, ge=0, le=1, description="lowest face probability of the detector")
    max_yaw: float = Field(20.0, gt=0, le=90, description="degrees, exclusive")
    max_expression: float = Field(0.25, ge=0, le=1, description="strongest expression unit that counts as neutral")
    max_glasses: float = Field(0.5, ge=0, le=1, description="glasses score above which a face wears glasses")
    max_similarity: float = Field(
        0.6,
        ge=-1,
        le=1,
        description="highest cosine to an identity accepted earlier (greedy, candidate order)",
    )


NOT_RECIPE = ("catalogue", "cache", "offline", "require_commercial", "evaluation_embedder")
"""Keys of the models section that change no byte of the dataset; weights enter the recipe by digest."""
ONLY_DIFFUSION = ("face_model", "face_encoder", "face_parser", "conditional_diffusion", "control_embedder")
"""Keys of the models section that say something where the conditional generator is diffusion."""


PROCEDURAL = "procedural"
"""Name of both embedded generators, which are no cards."""


class ModelsSection(Section):
    """Which model plays each role. Bundled names need no download."""

    catalogue: str = Field("", description="models.yaml with cards of own checkpoints; bundled ones need none")
    cache: str = Field(
        "", description="folder on each node for fetched weights; empty: SYNFIQA_CACHE, ~/.cache/synfiqa"
    )
    offline: bool = Field(True, description="false lets a run fetch what `synfiqa models fetch` has not")
    require_commercial: bool = Field(False, description="refuse models whose card does not allow commercial use")
    precision: Precision = Field("float32", description="of weights and activations of all networks")
    micro_batch: int = Field(
        8,
        ge=1,
        le=4096,
        description="images per network call, short ones are padded; raise it on GPUs; part of the recipe",
    )
    identity_generator: Name = Field("procedural", description="procedural, or a card that makes pseudo-identities")
    conditional_generator: Literal["procedural", "diffusion"] = Field(
        "procedural", description="diffusion: conditional_diffusion under control of a 3-D face, see section diffusion"
    )
    face_model: Name = Field("procedural-face", description="3-D face that control maps are drawn of")
    face_encoder: Name = Field("procedural-encoder", description="measures the 3-D face of an identity")
    face_parser: Name | Literal[""] = Field("", description="paints all but the face white for the image encoder")
    conditional_diffusion: Name | Literal[""] = Field("", description="image model under control; diffusion needs one")
    control_embedder: Name | Literal[""] = Field(
        "", description="whose 512 numbers tell the image model who it shows; empty: models.embedder"
    )
    detector: Name = "mtcnn"
    pose: Name = Field("landmark-pose", description="head pose of candidates, and of samples as measured_yaw")
    glasses: Name = "line-glasses"
    expression: Name = "commanded-expression"
    uniqueness: Name | Literal[""] = Field("", description="embedder of the duplicate rule; empty: models.embedder")
    embedder: Name = Field("bundled-a", description="recognition network of the label component f_r")
    more_embedders: tuple[Name, ...] = Field((), description="further embedders whose f_r is measured beside")
    mirrored_recognition: bool = Field(
        False, description="f_r is that of a face and of its mirror image together, for twice the embedding time"
    )
    evaluation_embedder: Name = Field("bundled-b", description="independent network that evaluation verifies with")
    image_text: Name = "bundled-clip"

    @model_validator(mode="after")
    def _check(self) -> "ModelsSection":
        names = (self.embedder, *self.more_embedders)
        if len(set(names)) != len(names):
            raise ValueError(f"models.embedder and models.more_embedders must differ, not {', '.join(names)}")
        if self.conditional_generator != PROCEDURAL and not self.conditional_diffusion:
            raise ValueError("models.conditional_generator is diffusion: name its card in models.conditional_diffusion")
        if self.conditional_generator == PROCEDURAL != self.identity_generator:
            raise ValueError(
                f"the procedural conditional generator cannot show the identities of {self.identity_generator}, for "
                "it knows procedural heads only: set models.identity_generator to procedural as well"
            )
        return self


class StorageSection(Section):
    """File format of sample shards."""

    format: Literal["parquet", "webdataset"] = "parquet"


class PlacementSection(Section):
    """How stages are laid out on the cluster. On one class of hardware it never changes what is made (promise 1)."""

    mode: Literal["auto", "fused", "split"] = Field(
        "auto",
        description="fused: all stages of a half share one process; split: one pool per stage; auto chooses",
    )
    workers: int = Field(0, ge=0, le=4096, description="workers per pool; 0 means as many as the cluster holds")
    device: Literal["auto", "cpu", "cuda"] = "auto"
    memory_mb: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default_factory=dict, description="stage name -> GPU memory of one worker, as `synfiqa calibrate` prints it"
    )
    gpu_memory_mb: int = Field(0, ge=0, description="memory of one GPU; with memory_mb, workers are packed onto it")
    object_store_mb: int = Field(0, ge=0, description="bound on data in flight; 0 leaves it to Ray Data")
    labels: dict[str, dict[str, str]] = Field(
        default_factory=dict,
        description="stage name -> Ray node labels its workers must have, e.g. {annotator: {pool: small-gpu}}",
    )

    @model_validator(mode="after")
    def _check(self) -> "PlacementSection":
        if bool(self.memory_mb) != bool(self.gpu_memory_mb):
            raise ValueError(
                "memory_mb and gpu_memory_mb belong together: set both, as `synfiqa calibrate` prints them"
            )
        return self


class ResilienceSection(Section):
    """What the run puts up with before it sets work aside, stops, or takes over."""

    max_attempts: int = Field(
        3, ge=1, le=100, description="a unit that kills its process so often outside any row is dead; a row needs two"
    )
    max_dead_rate: float = Field(0.02, ge=0, le=1, description="share of dead rows above which the run stops, exit 3")
    retry_budget_s: float = Field(
        300.0, ge=0, le=86400, description="how long one storage request is retried through throttling and outages"
    )
    lease_s: float = Field(
        60.0, ge=1, le=3600, description="a driver that gave no sign of life for so long has lost the run"
    )


Spatial = Literal["ranks", "costs"]


class LabelSection(Section):
    """Fusion of raw components into one label, m = (f_r + lambda * s_d) / (1 - kappa * v_l) (MR-FIQA, promise 5)."""

    name: Name = "default"
    spatial: Spatial = Field(
        "ranks",
        description="s_d is the worst of three ranks, as published, or 1 less what each factor costs recognition",
    )
    spatial_weight: float = Field(0.5, ge=0, le=10, description="lambda of the fusion")
    vision_language_weight: float = Field(1.0, ge=0, le=1, description="kappa of the fusion; 1 as published")
    match_threshold: Annotated[float, Field(gt=-1, lt=1)] | Literal["auto"] | None = Field(
        None,
        description="cosine above which f_r's network takes two faces for one person: f_r enters the fusion as the "
        "chance of that, 1 / (1 + exp((threshold - f_r) / width)); auto: that of the frozen calibration or else of the "
        "network's card; null: as the cosine, as published",
    )
    match_width: float = Field(0.08, ge=0.001, le=1, description="cosine over which that chance rises from 1/2 to .73")
    embedder: Name | Literal[""] = Field(
        "", description="one of models.more_embedders whose f_r the label takes; empty: models.embedder"
    )
    calibration: str = Field("", description="URL of a frozen calibration.json; empty fits one on this run")


class TrainSection(Section):
    """The FIQA model fitted to the labels."""

    name: Name = "default"
    epochs: int = Field(10, ge=1, le=10000)
    batch_size: int = Field(32, ge=2, le=65536)
    learning_rate: float = Field(1e-3, gt=0, le=10)
    weight_decay: float = Field(1e-4, ge=0, le=1)
    width: int = Field(16, ge=4, le=512, description="channels of the first stage of the IResNet")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="arithmetic of the forward pass; bfloat16 pays on GPUs and on CPUs with AMX"
    )
    initialise: Literal["random", "embedder"] = Field("embedder", description="start from the recognition network")
    validation_fraction: float = Field(0.1, gt=0, lt=0.9, description="share of identities that choose the epoch")
    test_fraction: float = Field(0.25, gt=0, lt=0.9, description="share of identities held out for evaluation")
    workers: int = Field(1, ge=1, le=4096)
    use_gpu: bool = False
    max_failures: int = Field(3, ge=0, le=100)

    @model_validator(mode="after")
    def _check(self) -> "TrainSection":
        if self.validation_fraction + self.test_fraction >= 0.95:
            raise ValueError("validation_fraction + test_fraction must leave identities to train on (sum < 0.95)")
        return self


class EvaluateSection(Section):
    """Error-versus-discard evaluation on held-out identities (spec 6.2-6.4)."""

    fmr: tuple[float, ...] = Field((1e-2, 1e-3), min_length=1, description="target false match rates")
    discard_limit: float = Field(0.3, gt=0, le=0.95, description="R: pAUC runs over discard 0..R")
    pairs: Literal["probe-reference", "all"] = Field(
        "probe-reference",
        description="degraded probes against clean references, as at a gate, or every two held-out images",
    )
    bootstrap: int = Field(200, ge=0, le=10000, description="identity-level bootstrap resamples; 0 for none")

    @model_validator(mode="after")
    def _check(self) -> "EvaluateSection":
        if any(not 0 < value < 1 for value in self.fmr):
            raise ValueError("each fmr must lie strictly between 0 and 1")
        return self


class RunConfig(Section):
    """Everything one run needs, from candidates to the report."""

    run: RunSection = RunSection()
    generate: GenerateSection = GenerateSection()
    diffusion: DiffusionSection = DiffusionSection()
    filter: FilterSection = FilterSection()
    models: ModelsSection = ModelsSection()
    storage: StorageSection = StorageSection()
    placement: PlacementSection = PlacementSection()
    resilience: ResilienceSection = ResilienceSection()
    label: LabelSection = LabelSection()
    train: TrainSection = TrainSection()
    evaluate: EvaluateSection = EvaluateSection()

    @model_validator(mode="after")
    def _check(self) -> "RunConfig":
        known = ("", self.models.embedder, *self.models.more_embedders)
        if self.label.embedder not in known:
            raise ValueError(
                f"label.embedder is {self.label.embedder}, which the run does not measure: choose one of "
                f"{', '.join(known[1:])}, or add it to models.more_embedders before generating"
            )
        return self

    def recipe_sections(self) -> dict:
        """The part that decides which bytes the dataset has, without placement, resilience, URL and evaluation."""
        tree = self.model_dump(mode="json", include={"generate", "diffusion", "filter", "models", "storage"})
        rendered = self.models.conditional_generator == PROCEDURAL
        for key in (*NOT_RECIPE, *(ONLY_DIFFUSION if rendered else ())):
            del tree["models"][key]
        # Left out where it says nothing: a run that never heard of it stays the same run.
        if not self.models.mirrored_recognition:
            del tree["models"]["mirrored_recognition"]
        # A bank enters by digest, as weights do.
        del tree["diffusion"]["templates"]
        if rendered:
            del tree["diffusion"]
        return {"seed": self.run.seed, **tree}
