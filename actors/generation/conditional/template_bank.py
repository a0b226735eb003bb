"""The bank of templates: how faces may be shown. It is the distribution of pose, expression, light and position.

A file holds 10 references (REF) and any number of degraded templates (DEG):
`{"version": 1, "source": "...", "REF": [...], "DEG": [...]}` with entries of `token`, `pose` (6), `light` (9 x 3),
`expression` (E), `camera` (3), `tform` (3 x 3) and `tags`. The published layout is read too: two maps token -> deca ->
arrays with a leading axis of 1.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from synfiqa.actors.generation.face_model.parameters import Conditions
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.seeds import derive_seed, generator

VERSION = 1
_SHAPES: dict[str, tuple[int, ...]] = {"pose": (6,), "light": (9, 3), "camera": (3,), "tform": (3, 3)}
_PUBLISHED = {"pose": "pose", "light": "light", "expression": "exp", "camera": "cam", "tform": "tform"}


@dataclass(frozen=True, eq=False)
class Template:
    """One way to show a face; float32 arrays as the rows of `face_model.parameters.Conditions`."""

    token: str
    pose: np.ndarray
    light: np.ndarray
    expression: np.ndarray
    camera: np.ndarray
    tform: np.ndarray
    tags: dict[str, str | float] = field(default_factory=dict)


@dataclass(frozen=True)
class TemplateBank:
    """All templates of a file, references and degraded, each kind in the order of the file."""

    references: tuple[Template, ...]
    degradations: tuple[Template, ...]
    source: str = ""

    @classmethod
    def load(cls, path: Path | str) -> "TemplateBank":
        """Return the bank of a file in our or in the published layout; UserError names what is wrong with it."""
        path = Path(path)
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise UserError(
                f"{path} is no template bank ({error}): `synfiqa templates` makes one, and diffusion.templates names it"
            ) from error
        if not isinstance(content, Mapping) or not {"REF", "DEG"} <= content.keys():
            raise UserError(f"{path} is no template bank: it has no REF and DEG")
        if content.get("version", VERSION) != VERSION:
            raise UserError(f"{path} is a template bank of version {content['version']}; this program reads {VERSION}")
        groups = {kind: _templates(content[kind], f"{path}: {kind}") for kind in ("REF", "DEG")}
        for kind, found in groups.items():
            if not found:
                raise UserError(f"{path}: {kind} is empty, so that no face can be shown: make the bank again")
        sizes = {template.expression.size for found in groups.values() for template in found}
        if len(sizes) > 1:
            raise UserError(f"{path}: expressions have {sorted(sizes)} numbers, where all must have the same")
        return cls(tuple(groups["REF"]), tuple(groups["DEG"]), str(content.get("source", path.name)))

    def save(self, path: Path | str) -> None:
        """Write the bank in our layout, all or nothing; equal banks give equal bytes."""
        path = Path(path)
        document = {
            "version": VERSION,
            "source": self.source,
            "REF": [_document(template) for template in self.references],
            "DEG": [_document(template) for template in self.degradations],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}.part")
        partial.write_text(json.dumps(document, allow_nan=False, indent=1) + "\n")
        partial.replace(path)

    @property
    def expression_size(self) -> int:
        """Return how many numbers an expression has: the face model must take as many."""
        return int(self.references[0].expression.size)

    def reference(self, count: int) -> list[Template]:
        """Return all references, which must be `count`; every identity is shown under each of them."""
        if len(self.references) != count:
            raise UserError(
                f"the template bank ({self.source}) holds {len(self.references)} references but the run asks for "
                f"{count}: make a bank with {count}, or change the number of references"
            )
        return list(self.references)

    def degraded(self, identity_seed: int, count: int) -> list[Template]:
        """Draw `count` different degraded templates for an identity; the first k are the same for any count."""
        if count > len(self.degradations):
            raise UserError(
                f"the template bank ({self.source}) holds {len(self.degradations)} degraded templates but an identity "
                f"needs {count} different ones: make a larger bank, or fewer samples"
            )
        order = generator(derive_seed(identity_seed, "templates")).permutation(len(self.degradations))
        return [self.degradations[index] for index in order[:count]]


def conditions_of(templates: Sequence[Template]) -> Conditions:
    """Return templates as rows that a face can be shown under."""
    names = ("expression", *_SHAPES)
    return Conditions(
        **{name: torch.from_numpy(np.stack([getattr(template, name) for template in templates])) for name in names}
    )


def _templates(content: Any, where: str) -> list[Template]:
    entries: list[Any]
    if isinstance(content, Mapping):
        try:
            entries = [
                {"token": token, **{ours: np.squeeze(np.asarray(content[token]["deca"][theirs]), 0)
                                    for ours, theirs in _PUBLISHED.items()}}
                for token in sorted(content)
            ]  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{where} is not in the published layout token -> deca -> arrays ({error})") from error
    else:
        entries = list(content) if isinstance(content, Sequence) and not isinstance(content, str) else [None]
    return [_template(entry, f"{where}[{index}]") for index, entry in enumerate(entries)]


def _template(entry: Any, where: str) -> Template:
    if not isinstance(entry, Mapping):
        raise UserError(f"{where} is no template: it must hold token, {', '.join(_PUBLISHED)}")
    arrays = {name: _array(entry, name, where) for name in _PUBLISHED}
    tags = entry.get("tags", {})
    if not isinstance(tags, Mapping) or not all(isinstance(value, str | int | float) for value in tags.values()):
        raise UserError(f"{where}.tags must map names to text or numbers")
    return Template(token=str(entry.get("token", where.rpartition(": ")[2])), tags=dict(tags), **arrays)


def _array(entry: Mapping[str, Any], name: str, where: str) -> np.ndarray:
    shape = _SHAPES.get(name)
    try:
        value = np.asarray(entry[name], dtype=np.float32)
    except KeyError:
        raise UserError(f"{where} has no {name}") from None
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}.{name} is no array of numbers ({error})") from error
    fits = value.ndim == 1 and value.size > 0 if shape is None else value.shape == shape
    if not fits or not np.isfinite(value).all():
        wanted = " x ".join(map(str, shape)) if shape else "a row of"
        found = "with numbers that are not finite" if fits else f"of shape {value.shape}"
        raise UserError(f"{where}.{name} must be {wanted} finite numbers, not one {found}")
    return value


def _document(template: Template) -> dict[str, Any]:
    arrays = {name: _numbers(getattr(template, name)) for name in _PUBLISHED}
    return {"token": template.token, **arrays, "tags": template.tags}


def _numbers(values: np.ndarray) -> list:
    # The shortest text that is read back as the same float32, which is half as long as that of a double.
    return np.array([float(str(value)) for value in values.ravel()]).reshape(values.shape).tolist()
