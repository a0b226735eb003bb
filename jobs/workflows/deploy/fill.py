"""Templates of manifests under `cluster/deploy/`, and how places in them are filled."""

import re
import textwrap
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from string import Template

import yaml

import synfiqa.cluster
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError

TEMPLATES = Path(synfiqa.cluster.__path__[0]) / "deploy"
IMAGE = "synfiqa"
"""Name of the image in manifests for which none is given."""


def fill(template: str, values: Mapping[str, object]) -> str:
    """Return a template (path below `cluster/deploy/`) with `$name` replaced; every name must have a value."""
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    return Template(text).substitute({name: str(value) for name, value in values.items()})


def indent(text: str, columns: int) -> str:
    """Return lines moved right; empty ones stay empty."""
    return textwrap.indent(text.rstrip("\n"), " " * columns)


def versions() -> dict[str, str]:
    """Return the versions of synfiqa and Ray that a manifest names."""
    return {"version": version("synfiqa"), "ray": version("ray")}


def image_of(given: str | None) -> str:
    """Return the image of a manifest: the given one, or `synfiqa:VERSION`; UserError for a tag of another version.

    A digest (`NAME@sha256:...`) needs no tag.
    """
    own = versions()["version"]
    if not given:
        return f"{IMAGE}:{own}"
    name, _, digest = given.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    if (not tag and digest) or tag == own or tag.startswith(f"{own}-"):
        return given
    raise UserError(
        f"--image {given} has {f'the tag {tag}' if tag else 'no tag'} and this is synfiqa {own}: name an image whose "
        f"tag is {own} or begins with {own}-, or one by its digest"
    )


def name_of(url: str) -> str:
    """Return a name for objects of a run, of at most 40 lower-case letters, digits and hyphens."""
    words = re.sub(r"[^a-z0-9]+", "-", url.rstrip("/").rpartition("/")[2].lower()).strip("-")
    return f"synfiqa-{words}"[:40].rstrip("-") if words else "synfiqa-run"


def config_text(config: RunConfig) -> str:
    """Return the config as YAML without fields that have their defaults; the run's URL stands in the command."""
    tree = config.model_dump(mode="json", exclude_defaults=True)
    tree.get("run", {}).pop("url", None)
    return yaml.safe_dump({key: value for key, value in tree.items() if value}, sort_keys=False)
