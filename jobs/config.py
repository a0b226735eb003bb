"""Reads a run config: YAML file, then --set overrides, then --run; each error is one sentence."""

import difflib
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from synfiqa.actors.quality.registry import require_known, require_of_image
from synfiqa.actors.stages.stage_names import require_stages
from synfiqa.cluster.storage.storage import redact
from synfiqa.schemas.config.base import Section
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError


def load_config(path: str | None, overrides: list[str] | None = None, run_url: str | None = None) -> RunConfig:
    """Return the checked config. Raises UserError naming the field, its value and the remedy."""
    tree = apply_overrides(_read_yaml(path) if path else {}, overrides or [])
    if run_url:
        section = tree.get("run") or {}
        tree["run"] = {**section, "url": run_url} if isinstance(section, dict) else section
    return parse_config(tree, source=path or "the command line")


def holds_training_alone(path: str) -> bool:
    """Return whether a config file has the section `train` and no other, so that all else comes from a run."""
    return set(_read_yaml(path)) == {"train"}


def training_tree(path: str, recorded: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    """Return the config tree of a run with the section `train` of a file; the run keeps its split."""
    section = _read_yaml(path)["train"]
    own = recorded.get("train") or {}
    split = {key: own[key] for key in ("validation_fraction", "test_fraction") if key in own}
    merged = {**split, **section} if isinstance(section, dict) else section
    return apply_overrides({**recorded, "train": merged}, overrides)


def apply_overrides(tree: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    """Return the tree with each `section.key=value` set; values are read as YAML scalars."""
    for override in overrides:
        _apply(tree, override)
    return tree


def parse_config(tree: dict[str, Any], source: str) -> RunConfig:
    """Check a config tree. Raises UserError with one sentence for the first error."""
    try:
        config = RunConfig.model_validate(tree)
    except ValidationError as error:
        raise UserError(_sentence(error, source)) from None
    require_known(config.evaluate.scorers, f"{source}: evaluate.scorers", config.models.catalogue)
    if config.label.scorer:
        require_of_image(config.label.scorer, f"{source}: label.scorer", config.models.catalogue)
    require_stages(config.placement.labels, f"{source}: placement.labels")
    require_stages(config.placement.memory_mb, f"{source}: placement.memory_mb")
    require_stages(config.placement.stage_workers, f"{source}: placement.stage_workers")
    require_stages(config.placement.ram_mb, f"{source}: placement.ram_mb")
    return config


def load_sections[S: Section](path: str, kind: type[S], overrides: list[str] | None = None) -> S:
    """Return the checked config of another kind than a run's. Raises UserError naming field, value and remedy."""
    tree = apply_overrides(_read_yaml(path), overrides or [])
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        raise UserError(_sentence(error, path, kind)) from None


def _read_yaml(path: str) -> dict[str, Any]:
    file = Path(path)
    if file.is_dir() or "://" in path:
        raise UserError(f"config {redact(path)} is not a YAML file: to name a run, give --run {redact(path)}")
    if not file.is_file():
        raise UserError(f"config file {path} does not exist: give a YAML file such as configs/quickstart.yaml")
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"config file {path} cannot be read ({error.strerror}): correct its permissions") from None
    # ValueError: an impossible date such as 2026-13-45, or text that is not UTF-8
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"config file {path} is not valid YAML: {reason}") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise UserError(f"config file {path} must hold sections such as 'generate:', not a {type(tree).__name__}")
    return tree


def _apply(tree: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or len(parts) < 2 or not all(parts):
        raise UserError(f"--set {override!r} is not section.key=value, e.g. --set generate.identities=100")
    for part in parts[:-1]:
        node = tree.setdefault(part, {})
        if not isinstance(node, dict):
            raise UserError(f"--set {override!r}: {part} is a value, not a section")
        tree = node
    try:
        tree[parts[-1]] = yaml.safe_load(text) if text.strip() else text
    except (yaml.YAMLError, ValueError):
        tree[parts[-1]] = text


def _sentence(error: ValidationError, source: str, kind: type[BaseModel] = RunConfig) -> str:
    errors = error.errors(include_url=False)
    first, path = errors[0], _path(errors[0]["loc"], kind)
    field = ".".join(str(part) for part in path) or "config"
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(first["loc"][-1]), _known_keys(first["loc"][:-1], kind), n=1)
        hint = (
            f"did you mean {close[0]}?" if close else f"known keys: {', '.join(_known_keys(first['loc'][:-1], kind))}"
        )
        return f"{field} is not a known key ({source}): {hint}"
    # A field of several types fails once for each of them.
    messages = dict.fromkeys(
        one["msg"].removeprefix("Value error, ") for one in errors if _path(one["loc"], kind) == path
    )
    message = " or ".join(messages).replace(" or Input should be ", " or ")
    if not first["loc"]:
        return f"{message}; correct it in {source}"
    others = len({_path(one["loc"], kind) for one in errors}) - 1
    more = f" (and {others} more)" if others else ""
    value = repr(first["input"]) if not isinstance(first["input"], dict) else "this section"
    # --set takes a list as a whole.
    whole = ".".join(part for part in path if isinstance(part, str))
    return f"{field}: {value} is not valid: {message}; correct it in {source} or with --set {whole}=VALUE{more}"


def _path(location: tuple[int | str, ...], kind: type[BaseModel]) -> tuple[int | str, ...]:
    """Return where a value stands in the config, without the names that pydantic gives to the types of a union."""
    model: type[BaseModel] | None = kind
    annotation: Any = None
    kept: list[int | str] = []
    for part in location:
        if model is not None:
            kept.append(part)
            field = model.model_fields.get(str(part))
            annotation = field.annotation if field else None
            model = _section(annotation)
        elif isinstance(part, int) or get_origin(annotation) is dict:
            kept.append(part)
            model, annotation = _section(_of_values(annotation)), _of_values(annotation)
    return tuple(kept)


def _of_values(annotation: Any) -> Any:
    return get_args(annotation)[-1] if get_origin(annotation) is dict else None


def _section(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _known_keys(location: tuple[int | str, ...], kind: type[BaseModel]) -> list[str]:
    model = kind
    for part in location:
        field = model.model_fields.get(str(part))
        section = _section(field.annotation) if field else None
        if section is None:
            return []
        model = section
    return list(model.model_fields)
