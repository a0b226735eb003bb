"""Resolution of `label.match_threshold`: a value of the config, or for `auto` that of a frozen scale or model card."""

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
    """Return the match threshold of a label pass: of the config, or for auto of the frozen scale or a card.

    `manifest` is that of an existing run: its own cards come first, since the catalogue may name other weights by now.
    UserError for auto with a card without `match_cosine`.
    """
    if config.label.match_threshold != AUTO:
        return config.label.match_threshold
    if frozen is not None:
        return frozen.match_threshold
    cosine = _of_catalogue(config, embedder) if manifest is None else _of_run(config, embedder, manifest)
    if cosine is None:
        raise UserError(
            f"label.match_threshold is auto, but the card of {embedder} has no match_cosine: add it to the card, or "
            "set label.match_threshold to a number or to null"
        )
    return cosine


def _of_catalogue(config: RunConfig, embedder: str) -> float | None:
    return catalogue_of(config.models).model(embedder, "embedder").card.match_cosine


def _of_run(config: RunConfig, embedder: str, manifest: RunManifest) -> float | None:
    cosine = next((card.match_cosine for card in manifest.cards if card.name == embedder), None)
    if cosine is not None:
        return cosine
    # A match_cosine added to the card after the run counts too, if the weights are the same.
    model = next((model for model in catalogue_of(config.models) if model.name == embedder), None)
    if model is None or digest_of(model) != manifest.recipe["model_digests"].get(embedder):
        raise UserError(
            f"label.match_threshold is auto, but the run's card of {embedder} has no match_cosine, and the catalogue "
            "does not hold these weights any more: set label.match_threshold to a number or to null"
        )
    return model.card.match_cosine
