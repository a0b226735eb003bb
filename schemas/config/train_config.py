"""Config section of training: method, network, optimiser, data, checkpoints and placement of the FIQA model."""

from typing import Literal

from pydantic import Field, model_validator

from synfiqa.schemas.config.base import Name, Precision, Section
from synfiqa.schemas.config.dsl_config import DslSection
from synfiqa.schemas.config.train_data import AugmentSection, SourceSection

Method = Literal["label_regression", "cr_fiqa", "mr_fiqa", "vit_fiqa", "distil", "dsl_fiqa"]
Network = Literal[
    "quality-net",
    "compact",
    "compact-standard",
    "compact-vit",
    "mobilefacenet",
    "iresnet18",
    "iresnet34",
    "iresnet50",
    "iresnet100",
    "vit-s",
    "dsl",
    "dsl-compact",
]

PORTRAIT_NETWORKS = ("dsl", "dsl-compact")
"""Networks of method dsl_fiqa, which take crops of portraits instead of aligned faces."""

CLASSIFYING = ("cr_fiqa", "mr_fiqa", "vit_fiqa")
"""Methods that train on identities."""


class ObjectiveSection(Section):
    """Terms of the objective beside the choice of `train.method`; each counts only for the methods that it names."""

    quality_weight: float = Field(
        10.0,
        gt=0,
        le=1000,
        description="alpha: weight of the quality loss beside classification (cr_fiqa, mr_fiqa, vit_fiqa)",
    )
    identity_loss: bool = Field(True, description="mr_fiqa: classify identities beside the label; false: label alone")
    scale: float = Field(64.0, gt=0, le=1000, description="s: factor of the cosines before the softmax")
    margin: float | None = Field(
        None,
        ge=0,
        lt=1.5,
        description="m of the margin: radians for ArcFace (0.5: cr_fiqa, mr_fiqa), cosine for "
        "CosFace (0.4: vit_fiqa); null: as published",
    )
    ratio: Literal["published", "bare"] = Field(
        "published",
        description="target of cr_fiqa and vit_fiqa: CCS / (NNCCS + 1 + 1e-9), or CCS / NNCCS as the "
        "released code has it",
    )
    sample_rate: float = Field(
        1.0,
        gt=0,
        le=1,
        description="share of the classes whose centres a step uses, those of its images among them "
        "(partial FC); below 1 each worker holds a part of the centres",
    )
    teacher: str | tuple[str, ...] = Field(
        "",
        description="distil: quality scorer whose scores are the target, by name, or models/NAME for a finished model "
        "of the run; a list: the mean of their standardised scores",
    )

    @property
    def teachers(self) -> tuple[str, ...]:
        """Return the names of the teachers, none for other methods than distil."""
        named = (self.teacher,) if isinstance(self.teacher, str) else self.teacher
        return tuple(filter(None, named))

    @model_validator(mode="after")
    def _check(self) -> "ObjectiveSection":
        if not isinstance(self.teacher, str) and (not self.teachers or len(set(self.teachers)) != len(self.teacher)):
            raise ValueError(f"teacher must name scorers, each once, not [{', '.join(self.teacher)}]")
        return self


class WatchSection(Section):
    """What is measured and written while a training runs."""

    every_steps: int = Field(0, ge=0, description="validate after so many steps; 0: after each epoch alone")
    test_sets: dict[Name, str] = Field(
        default_factory=dict, description="test sets by name and path, as in `evaluate --on`: pAUC at each validation"
    )
    embedder: Name = Field("bundled-b", description="embedder that verifies the pairs of these sets")
    fmr: float = Field(1e-2, gt=0, lt=1, description="target false match rate of that pAUC")
    best_by: Literal["spearman", "pauc"] = Field(
        "spearman",
        description="which validation keeps its weights: highest rank correlation with the target, or "
        "lowest mean pAUC over watch.test_sets",
    )
    log_steps: int = Field(50, ge=1, description="steps between two lines of the training log")
    tensorboard: bool = Field(False, description="write events for TensorBoard to models/NAME/tensorboard")
    callback: str = Field(
        "", description="`module:function` called with (step, metrics) on the first worker, for MLflow or W&B"
    )

    @model_validator(mode="after")
    def _check(self) -> "WatchSection":
        if self.best_by == "pauc" and not self.test_sets:
            raise ValueError("best_by is pauc but test_sets is empty: name a test set, or use best_by: spearman")
        if self.callback and self.callback.count(":") != 1:
            raise ValueError(f"callback must be module:function, not {self.callback!r}")
        return self


class TrainSection(Section):
    """Method, network, data, split and optimiser of the FIQA model trained on a run."""

    name: Name = Field("default", description="name of the model, stored in models/NAME")
    method: Method = Field(
        "label_regression",
        description="objective: regression onto the labels with a ranking term, CR-FIQA, MR-FIQA's label head, "
        "ViT-FIQA, distillation from a scorer, or DSL-FIQA on portraits",
    )
    network: Network = Field("quality-net", description="network to train; quality-net is grey, all others are RGB")
    objective: ObjectiveSection = ObjectiveSection()
    dsl: DslSection = DslSection()
    seed: int = Field(
        0,
        ge=0,
        lt=2**31,
        description="further trainings of one run: weights, order and changes of faces follow it, the split does not",
    )
    epochs: int = Field(10, ge=1, le=10000, description="passes over the training images")
    batch_size: int = Field(32, ge=2, le=65536, description="images per optimiser step, over all workers")
    accumulate: int = Field(1, ge=1, le=1024, description="parts of a batch that a worker computes one after another")
    optimiser: Literal["adamw", "sgd", "adam"] = Field(
        "adamw", description="AdamW, SGD with momentum as in CR-FIQA, or Adam as in DSL-FIQA"
    )
    learning_rate: float = Field(1e-3, gt=0, le=10, description="largest step size")
    weight_decay: float = Field(1e-4, ge=0, le=1, description="weight decay")
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum of sgd")
    schedule: Literal["cosine", "polynomial", "steps", "constant", "waves"] = Field(
        "cosine",
        description="course of the step size after the warm-up; waves: a cosine that falls for wave_steps and rises "
        "again, as DSL-FIQA was trained",
    )
    wave_steps: int = Field(50, ge=1, le=1_000_000, description="schedule waves: steps of a fall, and of a rise")
    warm_up: float = Field(0.1, ge=0, le=0.9, description="share of all steps in which the step size rises linearly")
    drops: tuple[float, ...] = Field(
        (), description="schedule steps: epochs after which the step size falls by drop_factor; parts of epochs count"
    )
    drop_factor: float = Field(0.1, gt=0, lt=1, description="factor at each drop")
    power: float = Field(1.0, gt=0, le=10, description="schedule polynomial: exponent of the share of steps left")
    clip_norm: float = Field(5.0, gt=0, description="largest L2 norm of the network's gradient; class centres are free")
    ema: float = Field(0.0, ge=0, lt=1, description="decay of a moving average of the weights, kept instead; 0: none")
    width: int = Field(16, ge=4, le=512, description="channels of the first stage of quality-net and compact")
    precision: Precision = Field(
        "float32",
        description="arithmetic of the forward pass; bfloat16 is faster on GPUs and on CPUs with AMX, "
        "float16 needs a GPU",
    )
    initialise: Name = Field(
        "embedder", description="initial weights: random, embedder (that of the run), or an embedder of the catalogue"
    )
    augment: AugmentSection = AugmentSection()
    sources: tuple[SourceSection, ...] = Field((), description="further faces, mixed with those of the run by weight")
    validation_fraction: float = Field(
        0.1, gt=0, lt=0.9, description="share of identities on which the epoch is selected"
    )
    test_fraction: float = Field(0.25, gt=0, lt=0.9, description="share of identities held out for evaluation")
    watch: WatchSection = WatchSection()
    checkpoint_steps: int = Field(0, ge=0, description="store the state after so many steps; 0: after each epoch alone")
    checkpoints: int = Field(2, ge=1, le=1000, description="stored states that are kept")
    workers: int = Field(1, ge=1, le=4096, description="Ray Train workers that share each batch")
    threads: int = Field(
        0,
        ge=0,
        le=256,
        description="CPU threads of a worker; 0: the CPUs of the cluster shared among the workers, at "
        "most 8 each, and 1 with use_gpu",
    )
    readers: int = Field(
        1, ge=1, le=64, description="threads of a worker that fetch, decode and augment beside the step"
    )
    use_gpu: bool = Field(False, description="give each worker a GPU")
    max_failures: int = Field(
        3, ge=0, le=100, description="restarts after a failure, from the last stored state, until the training fails"
    )

    @model_validator(mode="after")
    def _check(self) -> "TrainSection":
        if self.validation_fraction + self.test_fraction >= 0.95:
            raise ValueError("validation_fraction + test_fraction must leave identities to train on (sum < 0.95)")
        if self.schedule == "steps" and list(self.drops) != sorted(set(self.drops)):
            raise ValueError(f"drops must rise, not {list(self.drops)}")
        if self.drops and self.schedule != "steps":
            raise ValueError(f"drops are for schedule: steps, not {self.schedule}: leave them out")
        if (self.method == "distil") != bool(self.objective.teacher):
            raise ValueError("method distil needs objective.teacher, the name of a scorer; other methods have none")
        if (self.method == "dsl_fiqa") != (self.network in PORTRAIT_NETWORKS):
            raise ValueError(
                f"method dsl_fiqa needs network {' or '.join(PORTRAIT_NETWORKS)}, and these are for it alone; the "
                f"method is {self.method} and the network {self.network}"
            )
        if self.method == "dsl_fiqa":
            self._check_portraits()
        if self.precision == "float16" and not self.use_gpu:
            raise ValueError("precision float16 needs use_gpu: true; use bfloat16 on CPUs")
        if self.objective.sample_rate < 1 and self.accumulate > 1:
            raise ValueError("objective.sample_rate below 1 needs accumulate: 1, since each step draws its centres")
        if self.objective.sample_rate < 1 and self.optimiser != "sgd":
            raise ValueError("objective.sample_rate below 1 needs optimiser: sgd, by which the centres move")
        return self

    def _check_portraits(self) -> None:
        if self.initialise != "random":
            raise ValueError("method dsl_fiqa needs initialise: random, since no embedder has such a trunk")
        if self.accumulate > 1:
            raise ValueError("method dsl_fiqa needs accumulate: 1, since a set is compared as a whole")
        if self.sources:
            raise ValueError("method dsl_fiqa has no sources of aligned faces: name portraits by dsl.folder")
        if self.watch.test_sets:
            raise ValueError("method dsl_fiqa has no watch.test_sets, whose faces are aligned: leave them out")
        if self.dsl.backbone and self.network != "dsl":
            raise ValueError("dsl.backbone is for network dsl; leave it out")
