"""Resolution of `label.match_threshold`: a value of the config, or for `auto` that of a frozen scale or model card."""

from typing import Final

from synfiqa.actors.model_store.cache import digest_of
from synfiqa.actors.model_store.catalogue import Catalogue
from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.actors.model_store.selection import catalogue_of
from synfiqa.schemas.calibration import Scale
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.manifest import RunManifest

AUTO: Final = "auto"


def match_threshold(
    config: RunConfig,
    embedder: str,
    frozen: Scale | None,
    manifest: RunManifest | None = None,
    resolved: ResolvedRun | None = None,
) -> float | None:
    """Return the match threshold of a label pass: of the config, or for auto of the frozen scale or a card.

    `manifest` is that of an existing run: its own cards come first, since the catalogue may name other weights by now.
    UserError for auto with a card without `match_cosine`.
    """
    if config.label.match_threshold != AUTO:
        return config.label.match_threshold
    if frozen is not None:
        return frozen.match_threshold
    known = None if manifest is None else _recorded(embedder, manifest)
    if known is not None:
        return known
    # Read only where the run does not record it: labels must not depend on a catalogue that they do not use.
    catalogue = resolved.catalogue if resolved else catalogue_of(config.models)
    found = _current(catalogue, embedder) if manifest is None else _added(catalogue, embedder, manifest)
    if found is None:
        raise UserError(
            f"label.match_threshold is auto, but the card of {embedder} has no match_cosine: add it to the card, or "
            "set label.match_threshold to a number or to null"
        )
    return found


def _recorded(embedder: str, manifest: RunManifest) -> float | None:
    return next((card.match_cosine for card in manifest.cards if card.name == embedder), None)


def _current(catalogue: Catalogue, embedder: str) -> float | None:
    return catalogue.model(embedder, "embedder").card.match_cosine


def _added(catalogue: Catalogue, embedder: str, manifest: RunManifest) -> float | None:
    """Return what was added to the card after the run, if the card is about the same weights."""
    model = next((model for model in catalogue if model.name == embedder), None)
    if model is None or digest_of(model) != manifest.recipe["model_digests"].get(embedder):
        raise UserError(
            f"label.match_threshold is auto, but the run's card of {embedder} has no match_cosine, and the catalogue "
            "does not hold these weights any more: set label.match_threshold to a number or to null"
        )
    return model.card.match_cosine
