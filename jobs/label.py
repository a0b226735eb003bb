"""Job: fuse the raw components of all committed samples into quality labels, without touching an image (promise 5)."""

import hashlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from cluster.errors import JobFailed, UserError
from cluster.fingerprint import canonical_json
from cluster.preflight import preflight
from cluster.progress import Phase
from cluster.run_folder import load_run, planned_shards
from cluster.shard_formats import decode, encode
from cluster.shard_store import ShardStore, read_verified
from cluster.storage import Storage, redact
from fiqa_train.label_factors import FACTORS
from fiqa_train.label_rows import LabelRows, columns
from fiqa_train.labels import Labels, apply, fit, invalid
from schemas.calibration import Calibration, Scale
from schemas.config import LabelSection, RunConfig
from schemas.manifest import Commit, DataFile, RunManifest

Progress = Callable[[int, int], None]
"""Called with shards done and shards planned; each shard counts once when read and once when labelled."""


def run_label(config: RunConfig, storage: Storage, progress: Progress | None = None) -> dict[str, Any]:
    """Write `labels/<name>/` for the finished run and return a summary; a pass that already exists is left alone.

    UserError when the name holds other labels or the frozen calibration does not fit; JobFailed when generation has not
    finished or a sample has no valid components. `calibration.json` is written last: labels exist whole or not at all.
    """
    manifest = load_run(storage)
    store = ShardStore(storage, manifest.fingerprint)
    commits = _finished(storage, store, manifest)
    dataset = store.dataset_digest()
    measured = embedder_of_labels(config.label, manifest)
    frozen = _frozen_scale(config.label, measured, manifest)
    existing = read_calibration(storage, config.label.name)
    if existing is not None:
        _require_same(storage, existing, config.label, measured, dataset, frozen)
        return _summary(existing, reused=True)

    preflight(storage)
    phase = Phase("label", 2 * len(commits), "shards") if progress is None else None
    report = progress or (lambda done, planned: phase.advance(done - phase.done) if phase else None)
    # Empty: the run's own embedder, whose cosines have a column of their own.
    embedder = "" if measured == manifest.recipe["models"]["embedder"] else measured
    costs = config.label.spatial == "costs"
    samples = LabelRows(sum(commit.file.rows for commit in commits), embedder, costs)
    for index, commit in enumerate(commits):
        samples.add(store.read(commit, columns(embedder, costs)))
        report(index + 1, 2 * len(commits))
    scale, labels = _label(samples, config.label, frozen)

    parts: list[DataFile] = []
    for index, commit in enumerate(commits):
        rows = samples.labelled(index, labels)
        if rows.num_rows:
            parts.append(_write_part(storage, config.label.name, commit.number, rows))
        report(len(commits) + index + 1, 2 * len(commits))
    if phase is not None:
        phase.close(f"{len(samples)} labels")
    calibration = Calibration(
        name=config.label.name,
        fingerprint=manifest.fingerprint,
        dataset_sha256=dataset,
        embedder=measured,
        image_text=image_text_of(manifest),
        mirrored=mirrored_in(manifest),
        frozen_from="" if frozen is None else _digest(frozen),
        samples=len(samples),
        clipped=labels.clipped,
        scale=scale,
        parts=parts,
    )
    if not storage.create(_path(config.label.name), calibration.model_dump_json().encode() + b"\n"):
        first = require_calibration(storage, config.label.name)
        _require_same(storage, first, config.label, measured, dataset, frozen)
        return _summary(first, reused=True)
    return _summary(calibration, reused=False)


def read_labels(storage: Storage, name: str) -> pa.Table:
    """Return all labels of a finished pass (schema `LABELS`) in shard order; join them by `sample_id`."""
    parts = require_calibration(storage, name).parts
    return pa.concat_tables([decode(read_verified(storage, part), "parquet") for part in parts])


def read_calibration(storage: Storage, name: str) -> Calibration | None:
    """Return the calibration of a finished label pass, or None when there is none of that name."""
    try:
        return _parse(storage.uri(_path(name)), storage.read(_path(name)))
    except FileNotFoundError:
        return None


def require_calibration(storage: Storage, name: str) -> Calibration:
    """Return the calibration of a label pass; UserError when it has not been run."""
    calibration = read_calibration(storage, name)
    if calibration is None:
        raise UserError(f"{storage.uri()} has no labels named {name!r}; run `synfiqa label` first")
    return calibration


def require_fresh_labels(store: ShardStore, calibration: Calibration) -> None:
    """Raise UserError when shards were committed since the labels were made."""
    if store.dataset_digest() != calibration.dataset_sha256:
        raise UserError(
            f"labels '{calibration.name}' of {store.storage.uri()} are older than its shards; "
            "choose another label.name and run `synfiqa label`"
        )


def _path(name: str) -> str:
    return f"labels/{name}/calibration.json"


def _parse(uri: str, data: bytes) -> Calibration:
    try:
        return Calibration.model_validate_json(data)
    except ValidationError as error:
        raise UserError(f"{uri} is not a calibration of this version; delete it or name another") from error


def _finished(storage: Storage, store: ShardStore, manifest: RunManifest) -> list[Commit]:
    committed, planned = store.committed("samples"), planned_shards(manifest)
    if missing := [number for number in range(planned) if number not in committed]:
        raise JobFailed(
            f"generate has not finished: {planned - len(missing)} of {planned} shards are in {storage.uri()} "
            f"(shard {missing[0]} is missing); run `synfiqa generate` again"
        )
    return list(committed.values())


def embedder_of_labels(section: LabelSection, manifest: RunManifest) -> str:
    """Return the embedder whose f_r the labels take; UserError when the run has not measured it.

    The run knows, not today's config: its samples hold the cosines of the embedders that it was made with.
    """
    models = manifest.recipe["models"]
    measured = [models["embedder"], *models.get("more_embedders", [])]
    if section.embedder and section.embedder not in measured:
        raise UserError(
            f"label.embedder is {section.embedder}, but the run measured {', '.join(measured)}: choose one of them"
        )
    return section.embedder or str(models["embedder"])


def image_text_of(manifest: RunManifest) -> str:
    """Return the image-text model that measured v_l."""
    return str(manifest.recipe["models"]["image_text"])


def mirrored_in(manifest: RunManifest) -> bool:
    """Return whether the run measured f_r of a face and of its mirror image together."""
    return bool(manifest.recipe["models"].get("mirrored_recognition", False))


def _frozen_scale(section: LabelSection, embedder: str, manifest: RunManifest) -> Scale | None:
    if not section.calibration:
        return None
    folder, _, file = section.calibration.rpartition("/")
    try:
        data = Storage(folder or ".").read(file)
    except (OSError, ValueError) as error:
        shown = redact(section.calibration)
        raise UserError(f"cannot read label.calibration {shown}; name the calibration.json of a label pass") from error
    calibration = _parse(redact(section.calibration), data)
    scale = calibration.scale
    for what, theirs, ours in (
        ("embedder", calibration.embedder, embedder),
        ("image-text model", calibration.image_text, image_text_of(manifest)),
    ):
        if theirs and theirs != ours:
            raise UserError(
                f"the frozen calibration was fitted with the {what} {theirs}, these samples were measured with {ours}: "
                "cosines of two networks are no one scale, so fit a new calibration"
            )
    if calibration.mirrored != mirrored_in(manifest):
        one, other = ("with", "without") if calibration.mirrored else ("without", "with")
        raise UserError(
            f"the frozen calibration was fitted to f_r {one} mirror images, that of these samples was measured {other} "
            "(models.mirrored_recognition): they are no one scale, so fit a new calibration"
        )
    for field, asked, fitted in _fusion(section, scale):
        if asked != fitted:
            raise UserError(
                f"label.{field} is {_shown(asked)} but the frozen calibration was fitted with {_shown(fitted)}; "
                f"set label.{field}={_shown(fitted)} or fit a new calibration"
            )
    unknown = sorted({cost.factor for cost in scale.costs.factors} - set(FACTORS)) if scale.costs else []
    if unknown:
        raise UserError(
            f"label.calibration {redact(section.calibration)} has costs of factors that this version does not know "
            f"({', '.join(unknown)}); label with the version that fitted it, or fit a new calibration"
        )
    return scale


def _fusion(section: LabelSection, scale: Scale) -> list[tuple[str, str | float, str | float]]:
    """Return what decides the fusion: field of section label, its value there, and that of the scale."""
    fields = ("spatial", "spatial_weight", "vision_language_weight")
    return [(field, getattr(section, field), getattr(scale, field)) for field in fields]


def _shown(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _require_same(
    storage: Storage, existing: Calibration, section: LabelSection, embedder: str, dataset: str, frozen: Scale | None
) -> None:
    checks = {
        "embedder": (existing.embedder or embedder, embedder),
        **{f"label.{field}": (theirs, ours) for field, ours, theirs in _fusion(section, existing.scale)},
        "label.calibration": (existing.frozen_from[:12] or "none", "none" if frozen is None else _digest(frozen)[:12]),
        "dataset digest": (existing.dataset_sha256[:12], dataset[:12]),
    }
    changed = [f"{field}: {old} -> {new}" for field, (old, new) in checks.items() if old != new]
    if changed:
        raise UserError(
            f"labels named {section.name!r} of {storage.uri()} were made differently ({'; '.join(changed)}); "
            f"choose another label.name, or delete labels/{section.name}"
        )


def _label(samples: LabelRows, section: LabelSection, frozen: Scale | None) -> tuple[Scale, Labels]:
    if not len(samples):
        raise JobFailed("there are no degraded samples to label; generate some first")
    if (repeated := samples.repeated_id()) is not None:
        raise JobFailed(
            f"two committed samples share one sample_id ({repeated}); "
            "the dataset is damaged, generate it in a new folder"
        )
    components = samples.components()
    bad = np.flatnonzero(invalid(components))
    if len(bad):
        values = {name: float(column[bad[0]]) for name, column in vars(components).items()}
        shown = ", ".join(f"{name} {value:g}" for name, value in values.items())
        raise JobFailed(
            f"sample {samples.sample_id(bad[0])} cannot be labelled ({shown}; {len(bad)} such samples): components "
            "must be finite and vision_language below 1, so check the models that measured them"
        )
    if frozen is not None:
        return frozen, apply(frozen, components, samples.severities())
    try:
        return fit(components, section.spatial_weight, section.vision_language_weight, samples.severities())
    except ValueError as error:
        raise JobFailed(f"labels cannot be scaled: {error}; generate more samples") from error


def _write_part(storage: Storage, name: str, number: int, rows: pa.Table) -> DataFile:
    data = encode(rows, "parquet", {"kind": "labels", "name": name, "number": str(number)})
    digest = hashlib.sha256(data).hexdigest()
    # Named by content: passes that race or repeat write the same bytes, passes that differ write other files.
    path = f"labels/{name}/shard-{number:06d}-{digest[:12]}.parquet"
    storage.write(path, data)
    return DataFile(path=path, sha256=digest, bytes=len(data), rows=rows.num_rows)


def _digest(scale: Scale) -> str:
    # Without what an older version did not know, so that its passes still name their scale.
    return hashlib.sha256(canonical_json(scale.model_dump(exclude_defaults=True))).hexdigest()


def _summary(calibration: Calibration, *, reused: bool) -> dict[str, Any]:
    return {
        "name": calibration.name,
        "samples": calibration.samples,
        "parts": len(calibration.parts),
        "spatial": calibration.scale.spatial,
        "spatial_weight": calibration.scale.spatial_weight,
        "vision_language_weight": calibration.scale.vision_language_weight,
        "raw_min": calibration.scale.raw_min,
        "raw_max": calibration.scale.raw_max,
        "clipped": calibration.clipped,
        "calibration": _path(calibration.name),
        "reused": reused,
    }


if __name__ == "__main__":
    from jobs.cli import main

    main(["label", *sys.argv[1:]])
