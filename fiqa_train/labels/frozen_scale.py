"""A label scale that was fitted in another pass, and whether samples measured in some way may be labelled on it."""

from dataclasses import dataclass

from pydantic import ValidationError

from synfiqa.cluster.storage.storage import Storage, redact
from synfiqa.fiqa_train.labels.match_threshold import AUTO
from synfiqa.fiqa_train.labels.severities import FACTORS
from synfiqa.schemas.calibration import Calibration, Scale
from synfiqa.schemas.config.learn import LabelSection
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.manifest import RunManifest

Setting = str | float | None


@dataclass(frozen=True)
class Measured:
    """What measured the components of a run: the embedder of f_r, whether on mirror images too, and that of v_l."""

    embedder: str
    image_text: str
    mirrored: bool


def measured_in(section: LabelSection, manifest: RunManifest) -> Measured:
    """Return what measured a run; UserError when it has not measured `label.embedder`.

    The run knows, not today's config: its samples hold the cosines of the embedders that it was made with.
    """
    models = manifest.recipe["models"]
    measured = [models["embedder"], *models.get("more_embedders", [])]
    if section.embedder and section.embedder not in measured:
        raise UserError(
            f"label.embedder is {section.embedder}, but the run measured {', '.join(measured)}: choose one of them"
        )
    return Measured(
        section.embedder or str(models["embedder"]),
        str(models["image_text"]),
        bool(models.get("mirrored_recognition", False)),
    )


def measured_by(config: RunConfig) -> Measured:
    """Return what will measure the run of a config."""
    models = config.models
    return Measured(config.label.embedder or models.embedder, models.image_text, models.mirrored_recognition)


def frozen_scale(section: LabelSection, measured: Measured) -> Scale | None:
    """Return the scale of `label.calibration`, None where none is named.

    UserError when it cannot be read, or was fitted to components measured or fused in another way.
    """
    if not section.calibration:
        return None
    folder, _, file = section.calibration.rpartition("/")
    shown = redact(section.calibration)
    try:
        data = Storage(folder or ".").read(file)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read label.calibration {shown}; name the calibration.json of a label pass") from error
    calibration = parse_calibration(shown, data)
    _require_measured_alike(calibration, measured)
    scale = calibration.scale
    _require_fused_alike(section, scale)
    unknown = sorted({cost.factor for cost in scale.costs.factors} - set(FACTORS)) if scale.costs else []
    if unknown:
        raise UserError(
            f"label.calibration {shown} has costs of factors that this version does not know "
            f"({', '.join(unknown)}); label with the version that fitted it, or fit a new calibration"
        )
    return scale


def parse_calibration(uri: str, data: bytes) -> Calibration:
    """Return a stored calibration; UserError when it is none of this version."""
    try:
        return Calibration.model_validate_json(data)
    except ValidationError as error:
        raise UserError(f"{uri} is not a calibration of this version; delete it or name another") from error


def fusion_fields(section: LabelSection, threshold: float | None, scale: Scale) -> list[tuple[str, Setting, Setting]]:
    """Return what decides the fusion: field of section label, its value there, and that of the scale.

    `threshold` is the value of `match_threshold`, which in the section may be auto.
    """
    asked: dict[str, Setting] = {
        "spatial": section.spatial,
        "spatial_weight": section.spatial_weight,
        "vision_language_weight": section.vision_language_weight,
        "match_threshold": threshold,
    }
    # Without a threshold a width means nothing; where the scale has one, both must be told at once.
    if scale.match_threshold is not None:
        asked["match_width"] = section.match_width
    return [(field, value, getattr(scale, field)) for field, value in asked.items()]


def _require_measured_alike(calibration: Calibration, measured: Measured) -> None:
    for what, theirs, ours in (
        ("embedder", calibration.embedder, measured.embedder),
        ("image-text model", calibration.image_text, measured.image_text),
    ):
        if theirs and theirs != ours:
            raise UserError(
                f"the frozen calibration was fitted with the {what} {theirs}, these samples were measured with {ours}: "
                "cosines of two networks are no one scale, so fit a new calibration"
            )
    if calibration.mirrored != measured.mirrored:
        one, other = ("with", "without") if calibration.mirrored else ("without", "with")
        raise UserError(
            f"the frozen calibration was fitted to f_r {one} mirror images, that of these samples was measured {other} "
            "(models.mirrored_recognition): they are no one scale, so fit a new calibration"
        )


def _require_fused_alike(section: LabelSection, scale: Scale) -> None:
    threshold = scale.match_threshold if section.match_threshold == AUTO else section.match_threshold
    differing = [entry for entry in fusion_fields(section, threshold, scale) if entry[1] != entry[2]]
    if differing:
        asked = ", ".join(f"label.{field} is {shown(ours)}" for field, ours, _ in differing)
        fitted = ", ".join(shown(theirs) for _, _, theirs in differing)
        remedy = " ".join(f"label.{field}={shown(theirs)}" for field, _, theirs in differing)
        raise UserError(
            f"{asked} but the frozen calibration was fitted with {fitted}; set {remedy} or fit a new calibration"
        )


def shown(value: Setting) -> str:
    """Return a setting as `--set` takes it, with all its digits."""
    if value is None:
        return "null"
    return value if isinstance(value, str) else repr(float(value)).removesuffix(".0")
