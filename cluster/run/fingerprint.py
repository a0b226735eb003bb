"""The fingerprint document of a run: everything that decides its bytes, and the SHA-256 of it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.model_card import PLUGIN, ModelCard
from synfiqa.schemas.plugins import FACTORS, PLUGIN_GROUPS, find
from synfiqa.schemas.rows import SCHEMA_VERSION

RECIPE_VERSION = 9
"""Raised by every change to the code after which the same config and models make different bytes."""


INPUT_FIELDS = {
    *("architecture", "arguments", "state"),
    *("input_size", "channels", "value_range", "normalise", "resize", "resized_by"),
}
"""Fields of a model card that can change the output of the model."""

LIBRARIES = (
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "pillow",
    "opencv-python-headless",
    "pyarrow",
    "facenet-pytorch",
    "open-clip-torch",
    "diffusers",
    "transformers",
    "tokenizers",
    "timm",
    "onnxruntime",
)
"""Libraries whose version can change a pixel, a cosine or an encoded byte."""


def recipe_document(
    config: RunConfig, models: Mapping[str, str], device: str = "cpu", cards: Sequence[ModelCard] = ()
) -> dict[str, Any]:
    """Return everything that decides the dataset's bytes: recipe sections, models, code, libraries, device.

    A model enters by the digest of its weights and the input contract of its card: the same weights with other channels
    measure something else. `device` is cpu or cuda.
    """
    # Code enters as RECIPE_VERSION, not as a digest of sources: the fix of a bug that lets dead rows be replayed must
    # not change the fingerprint of the run.
    return {
        **config.recipe_sections(),
        "model_digests": dict(sorted(models.items())),
        "model_inputs": {card.name: card.model_dump(mode="json", include=INPUT_FIELDS) for card in cards},
        "schema_version": SCHEMA_VERSION,
        "recipe_version": RECIPE_VERSION,
        "device": device,
        "libraries": library_versions(config, cards),
    }


def library_versions(config: RunConfig, cards: Sequence[ModelCard] = ()) -> dict[str, str]:
    """Return the versions of all libraries here that decide the bytes of a run, by distribution."""
    return {name: library_version(name) for name in (*LIBRARIES, *_chosen_libraries(config, cards))}


def _chosen_libraries(config: RunConfig, cards: Sequence[ModelCard]) -> tuple[str, ...]:
    """Return the libraries that decide bytes only where the config names them, packages of plug-ins among them."""
    plugins = [find(FACTORS, name) for name in config.generate.factors]
    plugins += [find(PLUGIN_GROUPS[card.role], card.name) for card in cards if card.architecture == PLUGIN]
    packages = sorted({plugin.distribution for plugin in plugins if plugin})
    drawn = not config.models.conditional_kind.commands_recipe and config.diffusion.renderer == "pytorch3d"
    return (*(("pytorch3d",) if drawn else ()), *packages)


def library_version(distribution: str) -> str:
    """Return the version of an installed distribution, or `not installed`."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        # A cluster job may run straight from its working directory, without an installed package.
        return "not installed"


@cache
def libraries_digest() -> str:
    """Return 8 hex digits over the versions of `LIBRARIES` in this environment."""
    return hashlib.sha256(canonical_json({name: library_version(name) for name in LIBRARIES})).hexdigest()[:8]


def canonical_json(document: Any) -> bytes:
    """Return the one JSON text of a document: sorted keys, no spaces; ValueError for NaN or infinity."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def recipe_fingerprint(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of a recipe document; placement and the folder are not in it."""
    return hashlib.sha256(canonical_json(document)).hexdigest()


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return one readable line per differing field, such as `generate.identities: 64 -> 80`, sorted by field."""
    before, after = _flat(old), _flat(new)
    return [
        f"{name}: {_shown(before, name)} -> {_shown(after, name)}"
        for name in sorted(before.keys() | after.keys())
        if _shown(before, name) != _shown(after, name)
    ]


def _flat(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, Mapping) and value:
            fields |= _flat(value, f"{prefix}{key}.")
        else:
            fields[prefix + key] = value
    return fields


def _shown(fields: Mapping[str, Any], name: str) -> str:
    if name not in fields:
        return "(absent)"
    value = fields[name]
    return value if isinstance(value, str) else json.dumps(value)
