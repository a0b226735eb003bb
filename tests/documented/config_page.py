"""The page docs/config.md, made from the pydantic tree in schemas/config/.

`python -m tests.documented.config_page --write` writes it; without the option it exits with 1 when it is stale.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from synfiqa.schemas.config.run import RunConfig

PAGE = Path(__file__).parents[2] / "docs" / "config.md"
_HEADS = ("key", "type", "default", "bounds", "meaning")
_INTRODUCTION = """# Config

<!-- written by python -m tests.documented.config_page --write -->
Every key of a run config with its type, default, bounds and meaning; `configs/` holds complete examples. A config file
is YAML with one block a section, and `--set` overrides one key of it, for example `--set generate.identities=100`; the
value is YAML too, so a list is written as `[0.01, 0.001]`, an empty text as `""`. An unknown key or a value out of
bounds is refused before any work starts. A *name* has 1 to 64 letters, digits, `.`, `_` or `-` and begins with a letter
or a digit.
"""
_TYPES = {"string": "text", "integer": "integer", "number": "number", "boolean": "`true` or `false`", "null": "`null`"}
_BOUNDS = (
    ("minimum", "≥ {}"),
    ("exclusiveMinimum", "> {}"),
    ("maximum", "≤ {}"),
    ("exclusiveMaximum", "< {}"),
    ("minItems", "at least {} long"),
    ("maxItems", "at most {} long"),
    ("minLength", "at least {} character"),
)


def page() -> str:
    """Return the page as the tree now is."""
    parts = [_INTRODUCTION]
    for path, section in sections(RunConfig):
        rows = [_row(path, name, field, section) for name, field in leaves(section)]
        parts.append(f"## {path}\n\n{cleandoc(section.__doc__ or '')}\n\n{_table([_HEADS, *rows])}")
    return "\n".join(parts)


def sections(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield each section with the path of its keys, a nested one after the section that holds it."""
    for name, field in model.model_fields.items():
        if section := _section(field):
            yield prefix + name, section
            yield from sections(section, f"{prefix}{name}.")
        elif section := _section_of_values(field):
            yield f"{prefix}{name}.{'NAME' if get_origin(field.annotation) is dict else 'N'}", section


def leaves(section: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    """Return the fields of a section that hold a value, not a section."""
    return [(name, field) for name, field in section.model_fields.items() if _section(field) is None]


def type_in_words(schema: dict[str, Any]) -> str:
    """Return the type of a JSON schema, such as `pair of numbers`."""
    if "anyOf" in schema:
        *others, last = [type_in_words(one) for one in schema["anyOf"]]
        return f"{', '.join(others)} or {last}"
    if "enum" in schema:
        *others, last = [f"`{value}`" for value in schema["enum"]]
        return f"{', '.join(others)} or {last}"
    if "const" in schema:
        return f"`{schema['const']}`" if schema["const"] else '`""`'
    if schema["type"] == "array":
        if "prefixItems" in schema:
            return f"pair of {type_in_words(schema['prefixItems'][0])}s"
        if "$ref" in schema["items"]:
            return "list of sections, see below"
        first, *rest = type_in_words(schema["items"]).split(" ", 1)
        return " ".join([f"list of {first}s", *rest])
    if schema["type"] == "object":
        if named := schema.get("patternProperties"):
            (kind,) = named.values()
            return "section by name, see below" if "$ref" in kind else f"mapping of name to {type_in_words(kind)}"
        return f"mapping of text to {type_in_words(schema['additionalProperties'])}"
    return "name" if "pattern" in schema else _TYPES[schema["type"]]


def bounds_in_words(schema: dict[str, Any]) -> str:
    """Return the bounds of a JSON schema and of what it holds, empty when there are none."""
    if schema.get("minItems") == schema.get("maxItems") is not None:
        own = [] if "prefixItems" in schema else [f"{schema['minItems']} long"]
    else:
        own = [text.format(_number(schema[key])) for key, text in _BOUNDS if key in schema]
    inner = schema.get("items") or schema.get("additionalProperties")
    parts = [*own, f"each {bounds_in_words(inner)}" if inner and bounds_in_words(inner) else ""]
    return ", ".join(filter(None, [*parts, *map(bounds_in_words, schema.get("anyOf", ()))]))


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _section_of_values(field: FieldInfo) -> type[BaseModel] | None:
    """Return the section that a mapping by name, or a list, holds."""
    kinds = [kind for kind in get_args(field.annotation) if kind is not ...]
    kind = kinds[-1] if kinds and get_origin(field.annotation) in (dict, tuple) else None
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _row(path: str, name: str, field: FieldInfo, section: type[BaseModel]) -> tuple[str, ...]:
    schema = section.model_json_schema()["properties"][name]
    default = "" if field.is_required() else f"`{json.dumps(field.get_default(call_default_factory=True))}`"
    cells = (
        f"`{path}.{name}`",
        type_in_words(schema),
        default,
        bounds_in_words(schema),
        field.description or "",
    )
    return tuple(cell.replace("|", "\\|") for cell in cells)


def _number(value: float) -> str:
    whole = int(value)
    return f"2^{whole.bit_length() - 1}" if whole > 2**32 and whole.bit_count() == 1 else f"{value:g}"


def _table(lines: list[tuple[str, ...]]) -> str:
    head, *rest = [f"| {' | '.join(line)} |\n".replace("|  |", "| |") for line in lines]
    return "".join([head, "|---" * len(_HEADS) + "|\n", *rest])


def main() -> None:
    """Write the page, or exit with 1 when it is stale."""
    parser = argparse.ArgumentParser(description="Make docs/config.md from the pydantic tree in schemas/config/.")
    parser.add_argument("--write", action="store_true", help="write the page")
    if parser.parse_args().write:
        PAGE.write_text(page(), encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
        sys.exit("docs/config.md is stale: python -m tests.documented.config_page --write")


if __name__ == "__main__":
    main()
