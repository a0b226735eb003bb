"""The cosine at which f_r's network decides, where `label.match_threshold` leaves it to the network: auto."""

from typing import Final

from synfiqa.actors.model_store.cache import digest_of
from synfiqa.actors.model_store.selection import catalogue_of
from synfiqa.schemas.calibration import Scale
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.manifest import RunManifest

AUTO: Final = "auto"


def match_threshold(
    config: RunConfig, embedder: str, frozen: Scale | None, manifest: RunManifest | None = None
) -> float | None:
    """Return the threshold that a label pass fuses with: of the config, or for auto of the frozen scale or a card.

    `manifest` is that of a run that was made already: its own cards come first, for the catalogue may name other
    weights by now. UserError where auto meets a network whose card does not tell.
    """
    if config.label.match_threshold != AUTO:
        return config.label.match_threshold
    if frozen is not None:
        return frozen.match_threshold
    told = _told_now(config, embedder) if manifest is None else _told_then(config, embedder, manifest)
    if told is None:
        raise UserError(
            f"label.match_threshold is auto, but the card of {embedder} tells no match_cosine: add it to the card, or "
            "set label.match_threshold to a number or to null"
        )
    return told


def _told_now(config: RunConfig, embedder: str) -> float | None:
    return catalogue_of(config.models).model(embedder, "embedder").card.match_cosine


def _told_then(config: RunConfig, embedder: str, manifest: RunManifest) -> float | None:
    told = next((card.match_cosine for card in manifest.cards if card.name == embedder), None)
    if told is not None:
        return told
    # What was added to the card after the run counts too, if it is about the same weights.
    model = next((model for model in catalogue_of(config.models) if model.name == embedder), None)
    if model is None or digest_of(model) != manifest.recipe["model_digests"].get(embedder):
        raise UserError(
            f"label.match_threshold is auto, but the run's card of {embedder} tells no match_cosine, and the catalogue "
            "does not hold these weights any more: set label.match_threshold to a number or to null"
        )
    return model.card.match_cosine
