"""The models that a run can name: the bundled ones, and those of the user's `models.yaml`."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from synfiqa.actors.model_store.architectures.table import ARCHITECTURES, Contract
from synfiqa.actors.model_store.plugin_models import plugged_card, plugin_of
from synfiqa.cluster.storage.storage import redact
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import BUILT_IN, PACKAGE, RANDOM, ModelCard, Role, StateRules

BUNDLED = Path(__file__).parents[1] / "weights"
"""Folder of `<name>.yaml` cards with `<name>.safetensors` (fp16) beside them, or `<name>.json` of a calibration."""

CODE = BUNDLED / "built_in"
"""Folder of the cards whose source is code, or inside another installed package."""


@dataclass(frozen=True)
class Model:
    """A card and where its weights come from: an absolute path, a URL, or built-in, random:SEED, package:...

    `cache` is the folder on each node for what is fetched or made (empty: the default); `offline` forbids fetching.
    """

    card: ModelCard
    origin: str
    cache: str = ""
    offline: bool = True

    @property
    def name(self) -> str:
        """Return the name on the card."""
        return self.card.name

    @property
    def key(self) -> tuple[str, str, str]:
        """Return what identifies a loaded model in a process."""
        return self.card.model_dump_json(), self.origin, self.cache


class Catalogue:
    """Models by name. Every card has been checked against its architecture before it is in here."""

    def __init__(self, models: Mapping[str, Model], source: str = "", cache: str = "", *, offline: bool = True) -> None:
        self._models = dict(models)
        self.source = source
        self._cache, self._offline = cache, offline

    @classmethod
    def load(cls, path: str = "", cache: str = "", *, offline: bool = True) -> "Catalogue":
        """Return the bundled models and those of the YAML file, or of all YAML files of the folder.

        UserError for anything that is not a right card.
        """
        own = {} if not path else _read_folder(Path(path)) if Path(path).is_dir() else _read(Path(path))
        if clash := sorted(own.keys() & bundled().keys()):
            raise UserError(f"{path}: '{clash[0]}' is the name of a bundled model; choose another name")
        models = {**bundled(), **own}
        return cls(
            {name: replace(model, cache=cache, offline=offline) for name, model in models.items()},
            path,
            cache,
            offline=offline,
        )

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models.values())

    def own(self) -> list[Model]:
        """Return the models that came from the file, all of them without one."""
        return [model for model in self if not self.source or model.name not in bundled()]

    def model(self, name: str, role: Role | None = None) -> Model:
        """Return the model of that name, of a plug-in where the catalogue has none.

        UserError when there is none, or one that does not play the role, and for a name that a plug-in has too.
        """
        model, plugged = self._models.get(name), self._plugged(name, role)
        if model and plugged:
            raise UserError(
                f"'{name}' is a model of the catalogue and the {plugin_of(plugged.card)}: rename the card, or "
                "uninstall the package"
            )
        model = model or plugged
        if model is None or (role is not None and model.card.role != role):
            fitting = [entry.name for entry in self if role is None or entry.card.role == role]
            wrong = f"There is no model '{name}'" if model is None else f"'{name}' plays the role {model.card.role}"
            where = (
                f" or add a card to {self.source}" if self.source else ", or name a models.catalogue with your cards"
            )
            raise UserError(f"{wrong}{f', not {role}' if model else ''}: choose one of {', '.join(fitting)}{where}.")
        return model

    def _plugged(self, name: str, role: Role | None) -> Model | None:
        card = plugged_card(name, role)
        return Model(card, card.source, self._cache, self._offline) if card else None


@cache
def bundled() -> dict[str, Model]:
    """Return the models that ship with the package, by name."""
    return {path.stem: read_bundled(path) for path in _cards()}


def _cards() -> list[Path]:
    return sorted((*BUNDLED.glob("*.yaml"), *CODE.rglob("*.yaml")), key=lambda path: path.stem)


def read_bundled(path: Path) -> Model:
    """Return the model of one card file whose weights lie beside it, or whose source is inside the installation."""
    try:
        card = ModelCard(**yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError, TypeError) as error:
        raise UserError(f"The model card {path} cannot be read; reinstall the package to restore it.") from error
    beside = path.with_suffix(".json" if card.architecture == "froq" else ".safetensors")
    return Model(card, card.source or str(beside.absolute()))


def _read_folder(folder: Path) -> dict[str, Model]:
    files = {path: _read(path) for path in sorted(folder.glob("*.yaml"))}
    if not files:
        raise UserError(f"the model catalogue {folder} is a folder without a .yaml file: name a models.yaml")
    found: dict[str, Path] = {}
    for path, models in files.items():
        for name in models:
            if (first := found.setdefault(name, path)) != path:
                raise UserError(f"{folder}: '{name}' is in {first.name} and in {path.name}; keep one of the two cards")
    return {name: model for models in files.values() for name, model in models.items()}


def _read(path: Path) -> dict[str, Model]:
    try:
        tree = _UniqueKeys(path.read_text(encoding="utf-8")).get_single_data()
    except OSError as error:
        raise UserError(f"the model catalogue {path} cannot be read ({error.strerror}): name a models.yaml") from None
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"the model catalogue {path} is not valid YAML: {' '.join(str(error).split())}") from None
    entries = tree.get("models") if isinstance(tree, dict) else None
    # Remarks for people stand under `about:` (configs/models/).
    if not isinstance(entries, dict) or set(tree) - {"about"} != {"models"}:
        raise UserError(
            f"the model catalogue {path} must hold one section 'models:' with a card for each name "
            "(and 'about:' for remarks, if any)"
        )
    return {str(name): _entry(path, str(name), fields) for name, fields in entries.items()}


def _entry(path: Path, name: str, fields: Any) -> Model:
    where = f"{path}, model '{name}'"
    if not isinstance(fields, dict):
        raise UserError(f"{where}: a card is a mapping with role, architecture, source, sha256, licence and more")
    if fields.get("name", name) != name:
        raise UserError(f"{where}: its card says name: {fields['name']}; the name is the key of the card, leave it out")
    try:
        card = ModelCard(**{"name": name, **fields})
    except ValidationError as error:
        raise UserError(f"{where}: {_sentence(error)}") from None
    except TypeError as error:
        raise UserError(f"{where}: {error}") from None
    if not card.source:
        raise UserError(f"{where}: source is missing: a path or URL of the weights, or random:0 for a rehearsal")
    if card.source == BUILT_IN and card.architecture not in _code():
        raise UserError(f"{where}: {card.architecture} has weights: source must say where they lie, not {BUILT_IN}")
    check_contract(card, where)
    architecture = ARCHITECTURES[card.architecture]
    if card.source.startswith(RANDOM) and not (architecture.network or architecture.rehearsal):
        raise UserError(f"{where}: {card.architecture} has no random weights; name a real source")
    return Model(card, _origin(card.source, path.parent))


def _code() -> set[str]:
    """Return the architectures that are code without weights: those that the package ships as such."""
    return {model.card.architecture for model in bundled().values() if model.origin == BUILT_IN}


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"{field} is missing: every card states it, see docs/checkpoints.md"
    if first["type"] == "extra_forbidden":
        known = (ModelCard if len(first["loc"]) == 1 else StateRules).model_fields
        close = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        return f"{field} is not a known key: " + (
            f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
        )
    return f"{field + ': ' if field else ''}{first['msg'].removeprefix('Value error, ')}"


def _origin(source: str, folder: Path) -> str:
    if "://" in source or source == BUILT_IN or source.startswith((RANDOM, PACKAGE)):
        return source
    return str((folder / Path(source).expanduser()).absolute())


def check_contract(card: ModelCard, where: str) -> None:
    """UserError when a card names no known architecture, another role, or an input no such network was trained with."""
    architecture = ARCHITECTURES.get(card.architecture)
    if architecture is None:
        raise UserError(f"{where}: architecture '{card.architecture}' is not one of {', '.join(sorted(ARCHITECTURES))}")
    if architecture.role != card.role:
        raise UserError(f"{where}: {card.architecture} plays the role {architecture.role}, not {card.role}")
    if architecture.contracts and not any(_fits(card, contract) for contract in architecture.contracts):
        known = " or ".join(_shown(contract) for contract in architecture.contracts)
        raise UserError(
            f"{where}: no published {card.architecture} takes {card.channels}, {card.normalise}"
            f"{f' {list(card.value_range)}' if card.value_range else ''} at {card.input_size} px; known: {known}"
        )


def _fits(card: ModelCard, contract: Contract) -> bool:
    return (
        contract.channels in (None, card.channels)
        and contract.normalise in (None, card.normalise)
        and contract.input_size in (None, card.input_size)
        and contract.resize in (None, card.resize)
        and (contract.value_range is None or _close(contract.value_range, card.value_range))
    )


def _close(left: tuple[float, float], right: tuple[float, float] | None) -> bool:
    return right is not None and all(abs(a - b) < 1e-3 for a, b in zip(left, right, strict=True))


def _shown(contract: Contract) -> str:
    parts = [contract.channels, contract.normalise, contract.value_range and f"{list(contract.value_range)}"]
    size = contract.input_size and f"at {contract.input_size} px"
    resize = contract.resize and f"resize {contract.resize}"
    return ", ".join(str(part) for part in (*parts, size, resize) if part)


_MERGE = "tag:yaml.org,2002:merge"
"""Of the key `<<`, which takes over the fields of another card."""


class _UniqueKeys(yaml.SafeLoader):
    """YAML silently keeps the last of two equal keys: two cards of one name would hide one another."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """Return the mapping; ValueError when a key comes twice."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != _MERGE]
        if repeated := [key for key in keys if keys.count(key) > 1]:
            raise ValueError(f"'{redact(str(repeated[0]))}' is there twice (line {node.start_mark.line + 1})")
        return super().construct_mapping(node, deep=deep)
