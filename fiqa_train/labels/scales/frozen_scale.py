"""Reading of a frozen label scale, and checks that it fits samples measured and fused in a given way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from synfiqa.cluster.storage.storage import Storage, redact
from synfiqa.fiqa_train.labels.scales.match_threshold import AUTO
from synfiqa.fiqa_train.labels.severities import severity_names
from synfiqa.schemas.calibration import Calibration, Scale, ScorerScale
from synfiqa.schemas.config.learn import LabelSection
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.factors.camera_rows import CAMERA
from synfiqa.schemas.factors.plugin_rows import plugged_rows
from synfiqa.schemas.manifest import RunManifest

Setting = str | float | tuple[float, float] | None


@dataclass(frozen=True)
class Measured:
    """Networks that measured the components of a run: embedder of f_r (on mirror images too or not), model of v_l.

    Of centred labels the embedder is that of their vectors, which are not of mirror images. `factors` are the names of
    the factors of its samples beside those of the table, of plug-ins for one.
    """

    embedder: str
    image_text: str
    mirrored: bool
    factors: tuple[str, ...] = ()


def measured_in(section: LabelSection, manifest: RunManifest) -> Measured:
    """Return the networks that measured a run; UserError when `label.embedder` is not among them."""
    # The manifest counts, not the current config: the samples hold the cosines of the embedders of the manifest.
    models = manifest.recipe["models"]
    measured = [models["embedder"], *models.get("more_embedders", [])]
    if section.form == "fusion" and section.embedder and section.embedder not in measured:
        raise UserError(
            f"label.embedder is {section.embedder}, but the run measured {', '.join(measured)}: choose one of them"
        )
    return Measured(
        section.embedder or str(models["embedder"]),
        str(models["image_text"]),
        section.form == "fusion" and bool(models.get("mirrored_recognition", False)),
        _added(manifest.recipe["generate"]),
    )


def _added(generate: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the `added_factors` of a manifest's section, whose plug-ins need not be installed here."""
    return (*sorted(generate.get("factors", {})), *((CAMERA,) if generate.get("profile") == "camera" else ()))


def measured_by(config: RunConfig) -> Measured:
    """Return the networks that will measure the run of a config."""
    models = config.models
    return Measured(
        config.label.embedder or models.embedder,
        models.image_text,
        config.label.form == "fusion" and models.mirrored_recognition,
        config.generate.added_factors,
    )


def frozen_scale(section: LabelSection, measured: Measured, scorer: ScorerScale | None = None) -> Scale | None:
    """Return the scale of `label.calibration`, None where none is named; `scorer` is that of labels that are scores.

    UserError when it cannot be read, or was fitted to components measured or fused in another way, or other scores.
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
    if scorer is not None or calibration.scale.scorer is not None:
        _require_same_scorer(shown, scorer, calibration.scale.scorer)
        return calibration.scale
    scale = calibration.scale
    if section.form != scale.form:
        _require_fused_alike(section, scale)
    if scale.centred is not None:
        return scale
    _require_measured_alike(calibration, measured)
    _require_fused_alike(section, scale)
    known = severity_names(plugged_rows(measured.factors))
    unknown = sorted({cost.factor for cost in scale.costs.factors} - set(known)) if scale.costs else []
    if unknown:
        raise UserError(
            f"label.calibration {shown} has costs of factors that neither this version nor this run's plug-ins have "
            f"({', '.join(unknown)}); label with the version that fitted it, or fit a new calibration"
        )
    return scale


def parse_calibration(uri: str, data: bytes) -> Calibration:
    """Parse a stored calibration; UserError when it is none of this version."""
    try:
        return Calibration.model_validate_json(data)
    except ValidationError as error:
        raise UserError(f"{uri} is not a calibration of this version; delete it or name another") from error


def fusion_fields(section: LabelSection, threshold: float | None, scale: Scale) -> list[tuple[str, Setting, Setting]]:
    """Return the fields of section `label` that decide the fusion, each with its value there and in the scale.

    `threshold` is the resolved value of `match_threshold`, which in the section may be auto.
    """
    if section.source == "scorer" or scale.scorer is not None:
        return [("source", section.source, "components" if scale.scorer is None else "scorer")]
    if section.form != "fusion" or scale.centred is not None:
        return [("form", section.form, scale.form)]
    wanted: dict[str, Setting] = {
        "spatial": section.spatial,
        "spatial_weight": section.spatial_weight,
        "vision_language_weight": section.vision_language_weight,
        "match_threshold": threshold,
        "ends": section.ends,
    }
    # The width has an effect with a threshold alone; where the scale has one, a message names both.
    if scale.match_threshold is not None:
        wanted["match_width"] = section.match_width
    return [(field, value, getattr(scale, field)) for field, value in wanted.items()]


def _require_measured_alike(calibration: Calibration, measured: Measured) -> None:
    for what, theirs, ours in (
        ("embedder", calibration.embedder, measured.embedder),
        ("image-text model", calibration.image_text, measured.image_text),
    ):
        if theirs and theirs != ours:
            raise UserError(
                f"the frozen calibration was fitted with the {what} {theirs}, these samples were measured with {ours}: "
                "cosines of two networks are not on one scale, so fit a new calibration"
            )
    if calibration.mirrored != measured.mirrored:
        one, other = ("with", "without") if calibration.mirrored else ("without", "with")
        raise UserError(
            f"the frozen calibration was fitted to f_r {one} mirror images, that of these samples was measured {other} "
            "(models.mirrored_recognition): they are not on one scale, so fit a new calibration"
        )


def _require_same_scorer(shown: str, ours: ScorerScale | None, theirs: ScorerScale | None) -> None:
    wanted, fitted = (
        None if scorer is None else (scorer.name, scorer.weights, scorer.title) for scorer in (ours, theirs)
    )
    if wanted == fitted:
        return
    texts = ["components" if scorer is None else f"scores of {scorer[2]}" for scorer in (fitted, wanted)]
    raise UserError(
        f"label.calibration {shown} is a scale of {texts[0]}, and this config labels by {texts[1]}: name a calibration "
        "of the same label.source and label.scorer, or fit a new one"
    )


def _require_fused_alike(section: LabelSection, scale: Scale) -> None:
    threshold = scale.match_threshold if section.match_threshold == AUTO else section.match_threshold
    differing = [entry for entry in fusion_fields(section, threshold, scale) if entry[1] != entry[2]]
    if differing:
        wanted = ", ".join(f"label.{field} is {shown(ours)}" for field, ours, _ in differing)
        fitted = ", ".join(shown(theirs) for _, _, theirs in differing)
        remedy = " ".join(f"label.{field}={shown(theirs)}" for field, _, theirs in differing)
        raise UserError(
            f"{wanted} but the frozen calibration was fitted with {fitted}; set {remedy} or fit a new calibration"
        )


def shown(value: Setting) -> str:
    """Format a setting for `--set`, with all its digits."""
    if value is None:
        return "null"
    if isinstance(value, tuple):
        return f"[{','.join(map(shown, value))}]"
    return value if isinstance(value, str) else repr(float(value)).removesuffix(".0")
