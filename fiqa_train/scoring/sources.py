"""Finds the scorers that a command names: of the registry, or the model of a run, folder or file."""

import os
import re
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch

from synfiqa.actors.model_store.catalogue import Catalogue
from synfiqa.actors.quality.factories import ScorerSettings, scorer_digests, scorers_of
from synfiqa.actors.quality.guard import GuardedScorer
from synfiqa.actors.quality.registry import FROQ_SUFFIX, standalone
from synfiqa.actors.quality.trained.network_scorer import NetworkScorer
from synfiqa.actors.quality.trained.onnx_scorer import OnnxScorer
from synfiqa.actors.roles import QualityScorer, takes_portraits
from synfiqa.cluster.storage.storage import Storage, redact
from synfiqa.fiqa_train.scoring.output.scorer_column import ScorerColumn
from synfiqa.fiqa_train.training.checkpoints import TORCH_FILES, WEIGHTS, load_quality_model, read_model_file
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import BUILT_IN, BUNDLED_QUALITY

ONNX = ".onnx"
FILES = (".safetensors", ONNX, *TORCH_FILES)
"""Endings of files that hold a model."""
CATALOGUED = re.compile(r"(.+\.ya?ml):([^:/]+)")
"""A model of a catalogue: the path of its YAML file, and the name of the card."""
ANSWER_S = 20.0
"""Seconds within which the store of a model must answer, because a person waits for it."""


def load_scorer(source: str, device: str = "cpu") -> QualityScorer:
    """Return a scorer of aligned crops: its `score(images)` takes uint8 RGB (N, 112, 112, 3), higher is better.

    `source` is a scorer by name (bundled-quality, sharpness, norm, mirror, random, those of plug-ins), a card of a
    catalogue (`models.yaml:NAME`), or a run folder, a model folder or a file (path or URL): .safetensors, .onnx of
    `synfiqa export-model`, or a published .pth.
    `card.scale` of a trained model has `percentile` and `scalar` of a score. UserError, one sentence, when there is
    none.
    """
    source = str(source)
    if _is_network(source):
        require_answer(source)
        if source.endswith(ONNX):
            return OnnxScorer(read_model_file(source), source, device)
        return load_quality_model(source, device)
    return open_scorer(source, device)


def open_scorer(source: str, device: str = "cpu") -> GuardedScorer:
    """Return the scorer of that name, or the model of a run folder, model folder or file (path or URL).

    UserError when there is none. A name wins over a folder of the same name, which `./NAME` names.
    """
    if not _is_network(source):
        settings, name = _named(source, device)
        return scorers_of([name], settings, {}, "--model")[name]
    if source != BUNDLED_QUALITY and re.fullmatch(r"[A-Za-z0-9_-]+", source) and not Path(source).exists():
        raise UserError(
            f"--model: there is no scorer, run or model '{source}'; choose among {', '.join(standalone())}, or name a "
            "run folder, model folder or .safetensors file"
        )
    require_answer(source)
    if source.endswith(ONNX):
        return GuardedScorer(source, OnnxScorer(read_model_file(source), source, device))
    model = load_quality_model(source, device)
    return GuardedScorer(source, model if takes_portraits(model) else NetworkScorer(model))


def require_answer(source: str, seconds: float = ANSWER_S) -> None:
    """Raise UserError where the store of a model given as URL is not reached within so many seconds.

    Downloads that have begun may take longer.
    """
    if "://" not in source:
        return
    failures: list[Exception] = []

    def look() -> None:
        folder, _, file = source.rstrip("/").rpartition("/")
        place, name = (folder, file) if file.endswith(FILES) else (source, WEIGHTS)
        try:
            Storage(place, retry_budget_s=seconds / 2).exists(name)
        except Exception as error:
            failures.append(error)

    # A client may wait for minutes in one request, which only its own thread can sit out.
    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise UserError(f"--model {redact(source)} has not answered for {seconds:g} s: check the address")
    if failures:
        raise UserError(f"--model {redact(source)} cannot be reached: {failures[0]}") from failures[0]


def require_device(device: str) -> None:
    """Raise UserError for a device that torch cannot compute on here."""
    try:
        kind = torch.device(device)
    except RuntimeError:
        raise UserError(f"--device {device} is no device: give cpu, cuda or cuda:N") from None
    gpus = torch.cuda.device_count() if kind.type == "cuda" and torch.cuda.is_available() else 0
    if kind.type == "cuda" and (kind.index or 0) >= gpus:
        raise UserError(f"--device {device}: there are {gpus} GPUs here that torch can use; give cpu, or leave it out")


def open_scorers(sources: Iterable[str], device: str = "cpu") -> dict[str, GuardedScorer]:
    """Return the scorers by name for a file of scores, where NaN becomes the reason of its row, in order.

    URLs are named without credentials. UserError for one that is not there, and for one named twice.
    """
    require_device(device)
    found: dict[str, GuardedScorer] = {}
    for given in sources:
        source = os.path.expanduser(given) if given.startswith("~") else given  # noqa: PTH111
        name = redact(source.rstrip("/") or source)
        if name in found:
            raise UserError(f"--model names {name} twice: name it once")
        found[name] = open_scorer(source, device).allowing_nan()
    return found


def scorer_columns(scorers: Mapping[str, QualityScorer]) -> list[ScorerColumn]:
    """Return name, digest and scale of scorers; `built-in` is the digest of code without weights."""
    digests: dict[str, str] = {}
    for source in scorers:
        if not _is_network(source):
            settings, name = _named(source)
            digests[source] = scorer_digests([name], settings).get(name, "")
    return [
        ScorerColumn(name, digests.get(name) or scorer.card.sha256 or BUILT_IN, scorer.card.scale)
        for name, scorer in scorers.items()
    ]


def _is_network(source: str) -> bool:
    """Return whether a source is no name of registry or catalogue, but for the bundled model, and no file of FROQ."""
    named = source in standalone() or source.endswith(FROQ_SUFFIX) or CATALOGUED.fullmatch(source)
    return source == BUNDLED_QUALITY or not named


def _named(source: str, device: str = "cpu") -> tuple[ScorerSettings, str]:
    """Return the settings that hold the model of a name, and the name in its registry or catalogue."""
    found = CATALOGUED.fullmatch(source)
    if found is None:
        return ScorerSettings(device=device), source
    return ScorerSettings(Catalogue.load(found[1]), device=device), found[2]
