"""The run config: one pydantic tree, validated before any actor starts."""

from pydantic import model_validator

from synfiqa.schemas.config.base import Section
from synfiqa.schemas.config.cluster import PlacementSection, ResilienceSection, RunSection, StorageSection
from synfiqa.schemas.config.generate import DiffusionSection, FilterSection, GenerateSection
from synfiqa.schemas.config.learn import EvaluateSection, LabelSection
from synfiqa.schemas.config.models import NOT_RECIPE, ModelsSection
from synfiqa.schemas.config.train_config import TrainSection

_ADDED_LATER = (
    ("generate", "factors"),
    ("generate", "people"),
    ("models", "mirrored_recognition"),
    ("models", "scorers"),
    ("storage", "portraits"),
)


class RunConfig(Section):
    """Config of one run, from candidates to the report."""

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
        # Vectors of a centred label are computed by the label pass.
        if self.label.form == "fusion" and self.label.embedder not in known:
            raise ValueError(
                f"label.embedder is {self.label.embedder}, which the run does not measure: choose one of "
                f"{', '.join(known[1:])}, or add it to models.more_embedders before generating"
            )
        if self.storage.portraits and not self.models.conditional_kind.commands_recipe:
            raise ValueError(
                f"storage.portraits is true, but models.conditional_generator {self.models.conditional_generator} has "
                "no 68 landmarks of its pictures: set storage.portraits to false, or render the samples (procedural)"
            )
        if self.generate.profile == "camera" and not self.models.conditional_kind.commands_recipe:
            raise ValueError(
                f"generate.profile is camera, but models.conditional_generator {self.models.conditional_generator} "
                "composes no photographs: choose the profile corrected, or render the samples (procedural)"
            )
        if self.generate.profile == "camera" and self.storage.portraits:
            raise ValueError(
                "storage.portraits is true, but portraits are spoiled by the factors of the crop, which the profile "
                "camera has not: set storage.portraits to false, or choose the profile corrected"
            )
        return self

    def recipe_sections(self) -> dict:
        """Return the sections that determine the dataset's bytes: no placement, resilience, URL or evaluation."""
        tree = self.model_dump(mode="json", include={"generate", "diffusion", "filter", "models", "storage"})
        kind = self.models.conditional_kind
        for key in (*NOT_RECIPE, *kind.unread):
            del tree["models"][key]
        # Omits defaults of fields added later, so that fingerprints of older runs stay valid.
        for section, key in _ADDED_LATER:
            if not tree[section][key]:
                del tree[section][key]
        if self.generate.shots is None:
            del tree["generate"]["camera"]
        # A template bank enters the fingerprint by digest, as weights do.
        del tree["diffusion"]["templates"]
        if kind.commands_recipe:
            del tree["diffusion"]
        return {"seed": self.run.seed, **tree}
