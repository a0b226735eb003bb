"""Calibrates FROQ on unlabelled faces: pseudo-labels, one sweep over all modules, search."""

import hashlib
from dataclasses import asdict

import numpy as np

from synfiqa.actors.model_store.catalogue import Model, bundled
from synfiqa.actors.quality.training_free.froq.choice import Mode, choose
from synfiqa.actors.quality.training_free.froq.froq_file import (
    LEAST_IMAGES,
    EmbedderRecord,
    FroqFile,
    ModuleRecord,
)
from synfiqa.actors.quality.training_free.froq.layer_norms import layer_norms, submodules
from synfiqa.actors.quality.training_free.froq.pseudo_labels import LabelSettings, pseudo_labels
from synfiqa.actors.quality.training_free.recogniser import recogniser_of
from synfiqa.schemas.errors import UserError


def calibrate_froq(
    model: Model,
    images: np.ndarray,
    data: str,
    mode: Mode = "improved",
    labels: LabelSettings | None = None,
    permutation: tuple[int, int, int] | None = None,
) -> FroqFile:
    """Return the calibration of an embedder on uint8 RGB faces (N, 112, 112, 3); `data` states where they are from.

    Costs `LabelSettings.forwards` + 1 forward passes a face. UserError for an embedder without a torch network, fewer
    than `LEAST_IMAGES` images, labels or activations that are all equal, and values that are not finite.
    """
    settings = labels or LabelSettings()
    if len(images) < LEAST_IMAGES:
        raise UserError(
            f"--data gives {len(images)} images and FROQ needs at least {LEAST_IMAGES}: name more, or raise --images"
        )
    recogniser = recogniser_of(model, "froq", permutation)
    label = pseudo_labels(recogniser, images, settings).mean(axis=1)
    norms = layer_norms(recogniser, images)
    unsound = [name for name, values in norms.items() if not np.isfinite(values).all()]
    if unsound or not np.isfinite(label).all():
        raise UserError(
            f"{model.name} gives values that are not finite at {unsound[0] if unsound else 'its embedding'}: correct "
            "its weights or its card"
        )
    every = submodules(recogniser.module)
    leaves = frozenset(name for name, module in every.items() if not any(module.children()))
    chosen, trace = choose(norms, label, mode, leaves)
    if not chosen:
        raise UserError(
            f"the activations or labels of {model.name} are constant over the {len(images)} images: name data of "
            "several faces in several qualities"
        )
    return FroqFile(
        mode=mode,
        embedder=_record(model, recogniser.digest),
        permutation=permutation,
        modules=tuple(ModuleRecord.model_validate(asdict(module)) for module in chosen),
        trace=tuple(trace),
        labels=settings,
        images=len(images),
        images_sha256=hashlib.sha256(np.ascontiguousarray(images).tobytes()).hexdigest(),
        data=data,
    )


def _record(model: Model, digest: str) -> EmbedderRecord:
    if model.name in bundled():
        return EmbedderRecord(name=model.name, sha256=digest)
    return EmbedderRecord(name=model.name, sha256=digest, origin=model.origin, card=model.card)
