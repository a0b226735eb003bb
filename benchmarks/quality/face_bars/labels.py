"""Bars of the fused label: its fall along each factor's ladder, on the frozen scale of a finished run.

A person's ladder falls when no step rises by more than 0.01 of the label's range (the run's own 0 to 1) and its end
lies lower than its start by more than that. Labels are not clipped to the range here, since a ladder may start above
the best sample of the run.
"""

import numpy as np

from benchmarks.quality.face_bars.arithmetic import falls, rank_correlations
from benchmarks.quality.face_bars.bar import Bar, medians
from benchmarks.quality.face_bars.ladders.factors import FACTORS
from benchmarks.quality.face_bars.ladders.ladder_set import REFERENCE, Faces, ladder_set
from benchmarks.quality.face_bars.settings import Settings
from synfiqa.actors.generation.conditional.backends import reference_text
from synfiqa.actors.model_store.cache import digest_of
from synfiqa.actors.model_store.selection import RunModels, run_models
from synfiqa.actors.players import Players
from synfiqa.actors.recognition.mirrored import recognition_vectors
from synfiqa.actors.stages.annotator import recognition_similarity
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.labels.fusion import Components, apply
from synfiqa.fiqa_train.labels.label_pass import require_calibration
from synfiqa.fiqa_train.labels.severities import severities
from synfiqa.schemas.calibration import Calibration
from synfiqa.schemas.config.models import ModelsSection
from synfiqa.schemas.errors import UserError

SUBJECT = "labels"
NOT_JUDGED = ("gamma darker", "gamma lighter")
"""Ladders without a limit: no recipe commands gamma, datasets vary exposure instead."""


def measure(settings: Settings) -> list[Bar]:
    """Measure the share of held-out people whose label falls along each factor's ladder; medians over runs."""
    faces = ladder_set(settings)
    return medians([_of_run(run, settings.label, faces) for run in settings.runs])


def fused_labels(calibration: Calibration, faces: Faces, chosen: RunModels) -> np.ndarray:
    """Return the label (N,) of each face on the calibration's scale, 0..1 over its run, not clipped beyond.

    f_r and v_l come from the chosen networks, which must be those that the calibration was fitted with.
    """
    players, text = Players(chosen), reference_text(chosen)
    embedder, mirrored = players.embedders[0], chosen.mirrored_recognition
    vectors = faces.measured(lambda images: recognition_vectors(embedder, images, mirrored))
    components = Components(
        recognition=recognition_similarity(vectors, faces.identity, faces.factor == REFERENCE),
        vision_language=faces.measured(lambda images: players.image_text.similarity(images, text)),
        yaw=faces.yaw,
        downsample=faces.downsample,
        blur=faces.blur,
    )
    scale = calibration.scale
    return (apply(scale, components, severities(faces.columns)).raw - scale.raw_min) / (scale.raw_max - scale.raw_min)


def networks_of(storage: Storage) -> RunModels:
    """Return the models of a run; UserError when the weights of one that labels have changed since."""
    manifest = load_run(storage)
    chosen = run_models(ModelsSection(**manifest.config.get("models", {})))
    used: dict[str, str] = manifest.recipe["model_digests"]
    for model in (chosen.embedder, chosen.image_text):
        if used.get(model.name) != digest_of(model):
            raise UserError(
                f"{storage.uri()} was measured with other weights of {model.name} than are here now, so its labels "
                "have another scale; make the run again"
            )
    return chosen


def _of_run(run: str, label: str, faces: Faces) -> list[Bar]:
    storage = Storage(run)
    calibration = require_calibration(storage, label)
    quality = fused_labels(calibration, faces, networks_of(storage))
    bars = []
    for factor in FACTORS:
        ladders = faces.ladder(factor, quality)
        share = float(falls(ladders).mean())
        ranked = float((rank_correlations(ladders) <= -0.95).mean())
        medians_shown = " ".join(f"{value:.2f}" for value in np.median(ladders, axis=0))
        note = f"rho <= -0.95: {ranked:.2f}; median {medians_shown}"
        limit = None if factor in NOT_JUDGED else 0.95
        bars.append(Bar(SUBJECT, f"{factor}: label falls, share of people", share, limit, ">=", note=note))
    return bars
