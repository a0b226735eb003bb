"""Scores light and colour of aligned crops after ISO/IEC 29794-5, approximately: the face region is a stand-in."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.quality.training_free.iso import native_values as native
from synfiqa.actors.quality.training_free.iso import quality_maps as maps
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

Measure = Callable[[np.ndarray], np.ndarray]

HISTOGRAM_MEASURES: dict[str, tuple[Measure, Measure]] = {
    "luminance-mean": (native.mean, maps.luminance_mean),
    "luminance-variance": (native.variance, maps.luminance_variance),
    "under-exposure": (native.dark_share, maps.under_exposure),
    "over-exposure": (native.bright_share, maps.over_exposure),
    "dynamic-range": (native.entropy, maps.dynamic_range),
}
"""Native value of a luminance histogram, and its map to 0..100, by measure."""
NATURAL_COLOUR = "natural-colour"


class IsoMeasure:
    """A `QualityScorer` of one measure, `arguments.measure`: 0..100, higher is better.

    Approximate: values differ from those of OFIQ, which measures whole photographs by detected landmarks.
    """

    def __init__(self, card: ModelCard, path: Path | None = None, running: Execution | None = None) -> None:
        """Take the measure of the card; UserError for an unknown one."""
        self.card = card
        self._measure = str(card.arguments.get("measure", ""))
        if self._measure not in (*HISTOGRAM_MEASURES, NATURAL_COLOUR):
            raise UserError(
                f"scorer '{card.name}': there is no measure '{self._measure}'; choose among "
                f"{', '.join((*HISTOGRAM_MEASURES, NATURAL_COLOUR))}"
            )

    def score(self, images: np.ndarray) -> np.ndarray:
        """Return float64 scores (N,), 0..100, of uint8 RGB crops (N, 112, 112, 3) aligned to the ArcFace template."""
        if not len(images):
            return np.empty(0)
        if self._measure == NATURAL_COLOUR:
            return maps.natural_colour(native.colour_distance(images))
        value, mapped = HISTOGRAM_MEASURES[self._measure]
        return mapped(value(native.histograms(images)))
