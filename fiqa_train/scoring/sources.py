"""Finds the scorer that a command names: one of the registry, or the model of a run, folder or file."""

import re
from pathlib import Path

from synfiqa.actors.quality.factories import ScorerSettings, scorers_of
from synfiqa.actors.quality.guard import GuardedScorer
from synfiqa.actors.quality.registry import standalone
from synfiqa.actors.quality.trained.network_scorer import NetworkScorer
from synfiqa.fiqa_train.training.checkpoints import load_quality_model
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import BUNDLED_QUALITY


def open_scorer(source: str, device: str = "cpu") -> GuardedScorer:
    """Return the scorer of that name, or the model of a run folder, model folder or .safetensors file (path or URL).

    UserError when there is none. A name wins over a folder of the same name, which `./NAME` names.
    """
    if source in standalone() and source != BUNDLED_QUALITY:
        return scorers_of([source], ScorerSettings(device=device), {}, "--model")[source]
    if source != BUNDLED_QUALITY and re.fullmatch(r"[A-Za-z0-9_-]+", source) and not Path(source).exists():
        raise UserError(
            f"--model: there is no scorer, run or model '{source}'; choose among {', '.join(standalone())}, or name a "
            "run folder, model folder or .safetensors file"
        )
    return GuardedScorer(source, NetworkScorer(load_quality_model(source, device)))
