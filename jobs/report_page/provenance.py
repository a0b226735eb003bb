"""Collects the provenance of a run: seed, digests, models with licences, config, versions; no credentials."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import ValidationError

from synfiqa.actors.quality.registry import SCORERS
from synfiqa.cluster.run.manifest import recorded_config
from synfiqa.cluster.storage.storage import Storage, redact
from synfiqa.cluster.upkeep.utilisation import read_trace
from synfiqa.jobs.terminal.trace_table import COLUMNS, steady_sentences, trace_rows
from synfiqa.schemas.config.models import CONDITIONAL_KINDS
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import JobFailed
from synfiqa.schemas.manifest import Growth, RunManifest
from synfiqa.schemas.model_card import BUILT_IN, ModelCard

_NO_DIGEST = ("not recorded", "none, it is code")
_CODE = tuple(CONDITIONAL_KINDS)
_OURS = "Apache-2.0, code of this project"


@dataclass(frozen=True)
class Model:
    """One model of the run: which roles it plays, its SHA-256 (or why there is none) and its licence."""

    name: str
    roles: str
    digest: str
    licence: str


@dataclass(frozen=True)
class Work:
    """Work of the stages: a row of text for each stage under `columns`, and sentences about the steady windows."""

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    steady: list[str]


@dataclass(frozen=True)
class Provenance:
    """Everything that is needed to make the dataset again."""

    facts: dict[str, str]
    models: list[Model]
    work: Work
    config: str
    versions: dict[str, str]


def provenance(
    config: RunConfig, manifest: RunManifest, storage: Storage, digest: str, trained: Sequence[str]
) -> Provenance:
    """Collect the provenance of a run as it was first submitted, and grown since; `trained` are models of this report.

    Sections label, train and evaluate are those of this report.
    """
    ours = config.model_dump(mode="json", include={"label", "train", "evaluate"})
    document = _without_credentials({**recorded_config(manifest), **ours})
    return Provenance(
        facts={
            "seed": str(manifest.recipe.get("seed", "")),
            "recipe fingerprint": manifest.fingerprint,
            "dataset digest": digest,
            "first submitted": manifest.created,
            **({"grown": "; ".join(map(_grown, manifest.growth))} if manifest.growth else {}),
            "synfiqa": manifest.code_version,
            "schema version": str(manifest.schema_version),
        },
        models=[*_models(manifest), *(row for name in trained for row in _trained(storage, name))],
        work=_work(storage),
        config=yaml.safe_dump(document, sort_keys=False, allow_unicode=True),
        versions=manifest.versions,
    )


def _grown(growth: Growth) -> str:
    return f"from {growth.before} to {growth.identities} identities at {growth.grown} by {growth.by}"


def _work(storage: Storage) -> Work:
    trace = read_trace(storage)
    return Work(COLUMNS, trace_rows(trace), steady_sentences(trace))


def _models(manifest: RunManifest) -> list[Model]:
    """Return one row a model in the order of the config; licences are those recorded with the digests of the run."""
    roles: dict[str, list[str]] = {}
    for role, named in manifest.recipe.get("models", {}).items():
        for name in _names(role, named):
            roles.setdefault(name, []).append(role.replace("_", " "))
    for name in manifest.models:
        roles.setdefault(name, [])
    cards = {card.name: card for card in manifest.cards}
    rows = []
    for name, played in roles.items():
        card = cards.get(name)
        in_code = name in _CODE or (name in SCORERS and card is None) or (card is not None and card.source == BUILT_IN)
        digest = manifest.models.get(name) or _NO_DIGEST[in_code]
        licence = _licence(card) if card else _OURS if in_code else "not stated"
        rows.append(Model(name, ", ".join(played), digest, licence))
    return rows


def _names(role: str, named: Any) -> list[str]:
    """Return the names of models under a key of the models section.

    Some keys hold settings: switches and numbers such as `mirrored_recognition`, and the number format.
    """
    if role == "precision" or not isinstance(named, str | list):
        return []
    return [str(name) for name in (named if isinstance(named, list) else [named]) if name]


def _trained(storage: Storage, name: str) -> list[Model]:
    """Return the quality model that the run has trained, if it has."""
    path = f"models/{name}/model.yaml"
    if not storage.exists(path):
        return []
    try:
        card = ModelCard.model_validate(yaml.safe_load(storage.read(path)))
    except (yaml.YAMLError, ValidationError) as error:
        raise JobFailed(f"{storage.uri(path)} is no model card; delete it and run `synfiqa train` again") from error
    return [Model(card.name, "quality, trained on this run", card.sha256, _licence(card))]


def _licence(card: ModelCard) -> str:
    return card.licence + ("" if card.commercial_use else ", not for commercial use")


def _without_credentials(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_credentials(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_credentials(item) for item in value]
    return redact(value) if isinstance(value, str) else value
