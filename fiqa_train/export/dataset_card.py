"""The dataset card of an export: content, provenance and licences."""

from synfiqa.schemas.manifest import RunManifest
from synfiqa.schemas.model_card import ModelCard


def dataset_card(manifest: RunManifest, images: int, labels: int, label_name: str) -> str:
    """Return the card of an export of aligned crops as Markdown with the front matter of dataset hubs."""
    return _card(
        manifest,
        f"{images} aligned 112 x 112 faces of people who do not exist, {labels} of them degraded in a controlled "
        f"way and labelled with a quality in 0..1 (labels `{label_name}`, higher is better).",
    )


def portraits_card(manifest: RunManifest, images: int, score: str) -> str:
    """Return the card of an export of portraits, whose scores a phrase describes."""
    return _card(
        manifest,
        f"{images} portraits of people who do not exist, before alignment, most of them degraded in a controlled way, "
        f"each with 68 landmarks and a score (`MOS`: {score}, higher is better; measured, not judged by people).",
    )


def _card(manifest: RunManifest, content: str) -> str:
    return "\n".join(
        [
            "---",
            "license: other",
            "task_categories: [image-classification]",
            "tags: [face-image-quality, synthetic]",
            "---",
            "# Synthetic face-image-quality dataset",
            "",
            content,
            "",
            f"- recipe fingerprint `{manifest.fingerprint}`, seed {manifest.recipe.get('seed', '')}",
            f"- made by synfiqa {manifest.code_version}, first submitted {manifest.created}",
            *(f"- grown from {g.before} to {g.identities} identities at {g.grown}" for g in manifest.growth),
            "",
            "## Licences",
            "",
            _verdict(manifest.cards),
            "",
            "| model | role | licence | commercial use | weights (SHA-256) |",
            "|---|---|---|---|---|",
            *(_row(card, manifest.models.get(card.name, "code")) for card in manifest.cards),
            "",
        ]
    )


def _verdict(cards: tuple[ModelCard, ...]) -> str:
    if not cards:
        return "The licences of the models were not recorded when this run was made."
    barred = [card.name for card in cards if not card.commercial_use]
    if barred:
        return (
            f"**Not for commercial use**: the licences of {', '.join(barred)} do not allow it. "
            "What a licence of a model says about its outputs is for you to judge."
        )
    return "The licences of all models that made this dataset allow commercial use."


def _row(card: ModelCard, digest: str) -> str:
    allowed = "yes" if card.commercial_use else "no"
    licence = card.licence.replace("|", "\\|")
    return f"| {card.name} | {card.role} | {licence} | {allowed} | `{digest[:16]}` |"
