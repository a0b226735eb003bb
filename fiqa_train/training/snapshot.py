"""Settings that a training takes from the snapshot of its run, whatever config `train` or `evaluate` are given.

They decide who is held out: another seed or fraction makes test identities of those that a model has learned from.
"""

from typing import Any

from pydantic import ValidationError

from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.cluster.run.manifest import recorded_config
from synfiqa.fiqa_train.labels.scales.frozen_scale import fusion_fields
from synfiqa.fiqa_train.labels.scales.match_threshold import AUTO
from synfiqa.schemas.calibration import Calibration
from synfiqa.schemas.config.models import NOT_RECIPE, ModelsSection
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError, first_fault
from synfiqa.schemas.manifest import RunManifest

_FIXED = {
    "run": ("seed",),
    "train": ("validation_fraction", "test_fraction"),
    "models": tuple(name for name in ModelsSection.model_fields if name not in NOT_RECIPE),
}
"""Fields by section that only the snapshot decides."""


def under_snapshot(config: RunConfig, manifest: RunManifest) -> RunConfig:
    """Return the config with seed, split and models of the run's snapshot, and its label where none is named.

    `label.name` may name another finished pass of the run; `train` and `evaluate` may otherwise be as they like.
    UserError, with field and both values, when the config sets a field of the snapshot to another value.
    """
    kept = _snapshot(manifest)
    changes: dict[str, Any] = {}
    for name, fields in _FIXED.items():
        given, own = getattr(config, name), getattr(kept, name)
        for field in sorted(_stated(config, name) & set(fields)):
            if (ours := getattr(given, field)) != (theirs := getattr(own, field)):
                raise _disagree(f"{name}.{field}", ours, theirs)
        changes[name] = given.model_copy(update={field: getattr(own, field) for field in fields})
    if "name" not in _stated(config, "label"):
        changes["label"] = config.label.model_copy(update={"name": kept.label.name})
    return config.model_copy(update=changes)


def require_label(config: RunConfig, manifest: RunManifest, calibration: Calibration) -> None:
    """Raise UserError when the config states a fusion that neither the pass nor the run's snapshot has.

    A training learns from a finished pass, which may have been fused otherwise than the snapshot intended.
    """
    section, kept = config.label, _snapshot(manifest).label
    scale = calibration.scale
    threshold = scale.match_threshold if section.match_threshold == AUTO else section.match_threshold
    stated = _stated(config, "label")
    for field, ours, theirs in fusion_fields(section, threshold, scale):
        if field in stated and ours != theirs and getattr(section, field) != getattr(kept, field):
            raise UserError(
                f"label.{field} is {ours} in the config but labels '{calibration.name}' were fused with {theirs}: "
                f"leave label.{field} out, or label under another label.name"
            )


def require_weights(run: ResolvedRun, manifest: RunManifest) -> None:
    """Raise UserError when the catalogue has other weights for the run's embedder than those that measured the run."""
    name = run.config.models.embedder
    ours, theirs = run.digests.get(name), manifest.models.get(name)
    if ours and theirs and ours != theirs:
        raise UserError(
            f"models.catalogue has {ours[:12]}... as the digest of {name} but the run was made with {theirs[:12]}...: "
            "restore the card that the run was made with"
        )


def _snapshot(manifest: RunManifest) -> RunConfig:
    try:
        return RunConfig.model_validate(recorded_config(manifest))
    except ValidationError as error:
        raise UserError(
            f"the config in run.json is not one of this version ({first_fault(error)}): use the synfiqa that made "
            f"the run ({manifest.code_version})"
        ) from error


def _stated(config: RunConfig, section: str) -> set[str]:
    """Return the fields of a section that the config sets itself, be it to the default."""
    stated: set[str] = getattr(config, section).model_fields_set
    return stated if section in config.model_fields_set else set()


def _disagree(field: str, ours: object, theirs: object) -> UserError:
    return UserError(
        f"{field} is {_shown(ours)} in the config but {_shown(theirs)} in the run: seed, split and models of a "
        f"training are those of its run, so leave {field} out, or make another run"
    )


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) or "empty" if isinstance(value, tuple) else str(value) or "empty"
