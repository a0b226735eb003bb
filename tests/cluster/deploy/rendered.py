"""Manifests as the command prints them, and the schemas that they are validated by."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from synfiqa.jobs.cli import main

CONFIG = "configs/cluster.yaml"
SCHEMAS = Path(__file__).parent / "schemas"


def rendered(capsys, target: str, *options: str, config: str = CONFIG) -> str:
    """Return what `synfiqa deploy render` prints; the command must succeed."""
    assert _exit_code("--target", target, config, *options) == 0
    return capsys.readouterr().out


def refused(capsys, target: str, *options: str, config: str = CONFIG) -> str:
    """Return the sentence with which `synfiqa deploy render` refuses, with exit code 2."""
    assert _exit_code("--target", target, config, *options) == 2
    return capsys.readouterr().err


def _exit_code(*arguments: str) -> object:
    with pytest.raises(SystemExit) as stop:
        main(["deploy", "render", *arguments])
    return stop.value.code or 0


def documents(text: str) -> dict[str, dict]:
    """Return the YAML documents by kind."""
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def require_kuberay(document: dict) -> None:
    """Validate a RayJob or RayCluster by KubeRay's schema, which refuses unknown fields."""
    schema = json.loads((SCHEMAS / f"{document['kind'].lower()}s-v1.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
