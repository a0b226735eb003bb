"""What a model has learned from: the record on its card, and the check that no evaluation uses these identities."""

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError
from safetensors import safe_open

from synfiqa.actors.model_store.architectures.quality import NETWORKS
from synfiqa.actors.model_store.cache import locate
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.cluster.run.fingerprint import canonical_json
from synfiqa.fiqa_train.training.splits import Split, split_grown
from synfiqa.schemas.calibration import Calibration
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.manifest import RunManifest
from synfiqa.schemas.model_card import LearnedFrom, ModelCard


def learned_from(
    basis: Mapping[str, Any], manifest: RunManifest, calibration: Calibration, splits: Mapping[int, Split]
) -> LearnedFrom:
    """Return the record of a training: its run, its labels, and the split of all labelled identities.

    `basis` is that of the training (`training_basis`).
    """
    return LearnedFrom(
        run_fingerprint=manifest.fingerprint,
        dataset_sha256=calibration.dataset_sha256,
        people_sha256=people_digest(manifest),
        label=calibration.name,
        label_sha256=basis["label_sha256"],
        seed=basis["seed"],
        validation_fraction=basis["train"]["validation_fraction"],
        test_fraction=basis["train"]["test_fraction"],
        steps=manifest.steps,
        split_sha256=split_digest(splits),
    )


def with_record(model: Model) -> ModelCard:
    """Return the card of a model, with the record that its weights file holds where the card itself has none.

    A catalogue card, which people write, need not repeat it.
    """
    card = model.card
    if card.learned_from is not None or card.architecture not in NETWORKS:
        return card
    path = locate(model)
    if path.suffix != ".safetensors":
        return card
    with safe_open(path, "numpy") as content:
        inside = json.loads((content.metadata() or {}).get("card", "{}"))
    try:
        record = LearnedFrom.model_validate(inside.get("learned_from"))
    except ValidationError:
        return card
    return card.model_copy(update={"learned_from": record})


def split_digest(splits: Mapping[int, Split]) -> str:
    """Return the SHA-256 (hex) over `identity split` lines in order of identities."""
    return hashlib.sha256("".join(f"{number} {splits[number]}\n" for number in sorted(splits)).encode()).hexdigest()


def people_digest(manifest: RunManifest) -> str:
    """Return the SHA-256 (hex) of what people come from: seed and identity generator of a run.

    Two runs with one of these may show the same people, whatever else differs.
    """
    recipe = manifest.recipe
    generator = str(recipe["models"]["identity_generator"])
    weights = recipe.get("model_digests", {}).get(generator, "")
    return hashlib.sha256(canonical_json([recipe["seed"], generator, weights])).hexdigest()


def seen_by(
    card: ModelCard, manifest: RunManifest, tested: Collection[int], labelled: Collection[int]
) -> Collection[int]:
    """Return those of the `tested` identities of a run that a model has, or may have, learned from.

    `labelled` are all labelled identities of the run. Validation identities count as learned from, since they chose the
    epoch. A card without a record counts as one of this run where its text names the run.
    """
    record = card.learned_from
    if record is None:
        return tested if f"of run {manifest.fingerprint[:16]}" in card.trained_on else ()
    if record.run_fingerprint != manifest.fingerprint:
        # One seed and one generator make the same faces, under numbers that depend on all other settings.
        return tested if record.people_sha256 == people_digest(manifest) else ()
    known = [number for number in labelled if number < record.steps[-1]]
    splits = split_grown(known, record.steps, record.validation_fraction, record.test_fraction, record.seed)
    if split_digest(splits) != record.split_sha256:
        return tested
    return [number for number in tested if splits.get(number, "test") != "test"]


def require_unseen(
    cards: Mapping[str, ModelCard],
    manifest: RunManifest,
    tested: Collection[int],
    labelled: Collection[int],
    *,
    allow_seen: bool = False,
) -> list[str]:
    """Return the names of the models that have learned from any of the `tested` identities of a run.

    `cards` holds the cards of all models to compare, by name. UserError unless there are none or `allow_seen`.
    """
    seen = {name: len(found) for name, card in cards.items() if (found := seen_by(card, manifest, tested, labelled))}
    if seen and not allow_seen:
        shown = ", ".join(f"'{name}' may have learned from {count}" for name, count in seen.items())
        raise UserError(
            f"of the {len(tested)} identities to evaluate on, {shown}: evaluate on a run of another seed, leave the "
            "model out, or pass --allow-seen, which marks the evaluation"
        )
    return list(seen)
