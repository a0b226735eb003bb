"""`run.json`: the recipe of a run folder, written once; every later submit must agree with it (promise 3)."""

import math
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from synfiqa.cluster.run.fingerprint import LIBRARIES, differences, library_version, recipe_document, recipe_fingerprint
from synfiqa.cluster.run.growth import read_growth
from synfiqa.cluster.storage.preflight import preflight
from synfiqa.cluster.storage.storage import Storage, redact_all
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import StorageRefused, StorageUnavailable, UserError
from synfiqa.schemas.manifest import RunManifest, StoreTraits
from synfiqa.schemas.model_card import ModelCard
from synfiqa.schemas.rows import SCHEMA_VERSION

MANIFEST = "run.json"
_RECORDED = ("ray", *LIBRARIES, "fsspec", "s3fs")


class RecipeChanged(UserError):
    """The folder belongs to another recipe (exit code 2)."""


class OtherVersion(UserError):
    """The folder's tables have columns of another version (exit code 2)."""


def open_run(
    storage: Storage,
    config: RunConfig,
    models: Mapping[str, str],
    device: str = "cpu",
    cards: tuple[ModelCard, ...] = (),
    *,
    may_grow: bool = False,
) -> RunManifest:
    """Make the folder a run of this config, or return the manifest of the equal run that it already is.

    `models` maps model names to digests, `cards` are theirs, `device` is cpu or cuda. With `may_grow` a config that
    wants more identities and is equal otherwise is accepted, and the manifest returned as it is: `grow` records the
    growth. RecipeChanged when the folder belongs to another recipe (each field is listed), or has more identities;
    UserError when it holds foreign files, or cannot be written.
    """
    document = recipe_document(config, models, device, cards)
    existing = _read(storage)
    if existing is None:
        foreign = [name for name in storage.entries() if name != MANIFEST]
        # A job that started at the same moment may have filled the folder since the first look.
        if foreign and not storage.exists(MANIFEST):
            shown = ", ".join(foreign[:3]) + (", ..." if len(foreign) > 3 else "")
            raise UserError(
                f"{storage.uri()} is no run folder but holds other files ({shown}); "
                "choose an empty or new folder with --run"
            )
        manifest = _manifest(config, models, cards, document, preflight(storage, expected_bytes(config)))
        if storage.create(MANIFEST, manifest.model_dump_json(indent=1).encode() + b"\n"):
            return manifest
        existing = load_run(storage, any_version=True)
    _require_same(storage, existing, document, may_grow=may_grow)
    more = config.generate.identities - existing.identities
    preflight(storage, *([expected_bytes(config, more)] if more else []))
    return existing


def expected_bytes(config: RunConfig, identities: int = 0) -> int:
    """Return a generous estimate of what the dataset takes: 16 KiB a sample, four times that a candidate portrait.

    That of so many `identities`, 0 meaning all of the config.
    """
    generate = config.generate
    return 16 * 1024 * (identities or generate.identities) * (generate.references + generate.degraded + 4 * 3)


def load_run(storage: Storage, *, any_version: bool = False) -> RunManifest:
    """Return the manifest of an existing run; UserError when the folder is not one.

    OtherVersion when its tables are not those of `synfiqa.schemas.rows`, unless `any_version`: the tables are not read.
    """
    manifest = _read(storage)
    if manifest is None:
        raise UserError(f"{storage.uri()} is no run folder; run `synfiqa generate` first, or name another with --run")
    if manifest.schema_version != SCHEMA_VERSION and not any_version:
        raise OtherVersion(
            f"{storage.uri()} {_version_of(manifest)}; use the synfiqa that made it ({manifest.code_version}), "
            "or make the run again in another folder"
        )
    return manifest


def recorded_device(storage: Storage) -> str:
    """Return the device of the recipe of a run folder, `cpu` or `cuda`; empty when the folder is no run yet."""
    manifest = _read(storage)
    return str(manifest.recipe.get("device", "")) if manifest else ""


def planned_shards(manifest: RunManifest) -> int:
    """Return how many sample shards the finished run has."""
    return math.ceil(manifest.identities / manifest.recipe["generate"]["identities_per_shard"])


def recorded_config(manifest: RunManifest) -> dict[str, Any]:
    """Return the config at first submit, with the number of identities of the latest growth."""
    if not manifest.growth:
        return manifest.config
    return {**manifest.config, "generate": {**manifest.config["generate"], "identities": manifest.identities}}


def _read(storage: Storage) -> RunManifest | None:
    try:
        data = storage.read(MANIFEST)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (StorageRefused, StorageUnavailable):
        raise
    except Exception as error:
        raise UserError(
            f"cannot read {storage.uri(MANIFEST)} ({error}); "
            "check its permissions and your credentials, or choose another folder with --run"
        ) from error
    try:
        return RunManifest.model_validate_json(data).model_copy(update={"growth": read_growth(storage)})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "content"
        raise UserError(
            f"{storage.uri(MANIFEST)} is not readable ({where}: {first['msg']}); "
            "restore it, or choose another folder with --run"
        ) from error


def _require_same(
    storage: Storage, manifest: RunManifest, document: Mapping[str, Any], *, may_grow: bool = False
) -> None:
    if manifest.schema_version != SCHEMA_VERSION:
        if manifest.fingerprint == recipe_fingerprint(document):
            return
        raise RecipeChanged(
            f"{storage.uri()} {_version_of(manifest)}; choose another folder with --run, or start over beside the old "
            "data with --new-generation"
        )
    have, want = manifest.identities, document["generate"]["identities"]
    alike = manifest.fingerprint == recipe_fingerprint(_with_identities(document, manifest.steps[0]))
    if alike and (want == have or (may_grow and want > have)):
        return
    if alike and want < have:
        raise RecipeChanged(
            f"{storage.uri()} has {have} identities and never shrinks to {want}; set generate.identities={have}, or "
            "choose another folder with --run"
        )
    changed = differences(_with_identities(manifest.recipe, have), document) or ["its fingerprint was edited"]
    raise RecipeChanged(
        f"{storage.uri()} was made from another recipe ({'; '.join(changed)}); choose another folder with --run, "
        "restore the old values, or start over beside the old data with --new-generation"
    )


def _with_identities(document: Mapping[str, Any], identities: int) -> dict[str, Any]:
    return {**document, "generate": {**document["generate"], "identities": identities}}


def _version_of(manifest: RunManifest) -> str:
    return f"is a run folder of version {manifest.schema_version}, and this program reads version {SCHEMA_VERSION}"


def _manifest(
    config: RunConfig,
    models: Mapping[str, str],
    cards: tuple[ModelCard, ...],
    document: dict[str, Any],
    store: StoreTraits,
) -> RunManifest:
    return RunManifest(
        schema_version=SCHEMA_VERSION,
        fingerprint=recipe_fingerprint(document),
        recipe=document,
        config=redact_all(config.model_dump(mode="json")),
        code_version=library_version("synfiqa"),
        models=dict(models),
        cards=tuple(ModelCard.model_validate(redact_all(card.model_dump(mode="json"))) for card in cards),
        versions={"python": platform.python_version(), **{name: library_version(name) for name in _RECORDED}},
        store=store,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
