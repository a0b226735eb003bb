"""Expression strength as the procedural generator commanded it; photographs need a classifier."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from synfiqa.schemas.model_card import ModelCard

if TYPE_CHECKING:
    from synfiqa.actors.model_store.execution import Execution


class CommandedExpression:
    """`synfiqa.actors.roles.ExpressionMeter` of commanded strengths: exact for rendered heads, without pixels."""

    def __init__(self, card: ModelCard, path: Path = Path(), running: "Execution | None" = None) -> None:
        self.name = card.name

    def strength(
        self,
        images: Sequence[np.ndarray],
        landmarks: np.ndarray,
        aligned: np.ndarray,
        commanded: Sequence[Mapping[str, Any]],
    ) -> np.ndarray:
        """Return float32 (N,) of `expression` in 0..1 as commanded; 0 (neutral) where a generator commands none."""
        return np.array([float(attributes.get("expression", 0.0)) for attributes in commanded], np.float32)
