"""Bars of both recognition networks on held-out people: verification rates, and the cosine along each ladder."""

from pathlib import Path

import numpy as np

from benchmarks.quality.face_bars.arithmetic import TOLERANCE, largest_rise
from benchmarks.quality.face_bars.bar import Bar, medians
from benchmarks.quality.face_bars.ladders.factors import FACTORS
from benchmarks.quality.face_bars.ladders.ladder_set import REFERENCE, Faces, ladder_set
from benchmarks.quality.face_bars.ladders.people import drawing_digest
from benchmarks.quality.face_bars.networks import network
from benchmarks.quality.face_bars.settings import Settings
from synfiqa.fiqa_train.bundled.embedder_metrics import verification_rates
from synfiqa.fiqa_train.bundled.render_set import RenderSet, SetSize, cached_render_set
from synfiqa.schemas.seeds import derive_seed

SUBJECT = "embedders"
NAMES = ("bundled-a", "bundled-b")
JUDGED = (
    *("yaw", "pitch up", "pitch down", "blur", "resolution", "motion", "noise", "jpeg"),
    *("gamma darker", "gamma lighter", "dark", "bright", "hard light", "colour cast"),
    *("mask", "scarf", "hand", "hat", "hair", "object", "block from below", "misaligned", "near camera"),
)
"""Ladders along which the cosine has to fall; expressions are not among them."""


def held_out_renders(settings: Settings) -> RenderSet:
    """Return clean and varied renders of people outside the training set, as `synfiqa bootstrap` evaluates on."""
    seed = derive_seed(settings.seed, "face-bars", "renders")
    size = SetSize(identities=0, held_out=settings.identities, laddered=1)
    path = settings.work / f"renders-{settings.seed}-{settings.identities}-{drawing_digest()}.npz"
    return cached_render_set(path, seed, size)


def measure(settings: Settings) -> list[Bar]:
    """Measure verification rates and ladders of the mean cosine of both networks; medians over folders."""
    renders, faces = held_out_renders(settings), ladder_set(settings)
    return medians([_of_folder(folder, settings, renders, faces) for folder in settings.networks])


def _of_folder(folder: Path, settings: Settings, renders: RenderSet, faces: Faces) -> list[Bar]:
    bars: list[Bar] = []
    for name in NAMES:
        embedder = network(folder, name)
        rates = verification_rates(embedder.embed, renders)
        tar, varied = rates["clean_tar_at_fmr_1e-3"], rates["varied_tar_at_fmr_1e-2"]
        people = f"{settings.identities} people; genuine {rates['clean_genuine_mean']:.2f} clean"
        shown = f"genuine {rates['varied_genuine_mean']:.2f}, impostors' standard deviation {rates['impostor_std']:.2f}"
        bars += [
            Bar(SUBJECT, f"{name}: clean TAR at FMR 1e-3", tar, 0.99, ">=", note=people),
            Bar(SUBJECT, f"{name}: clean EER", rates["clean_eer"], 0.005),
            Bar(SUBJECT, f"{name}: varied TAR at FMR 1e-2, at least", varied, 0.70, ">=", note=shown),
            Bar(SUBJECT, f"{name}: varied TAR at FMR 1e-2, at most", varied, 0.95),
        ]
        bars += _ladders(name, faces, cosines(faces, faces.measured(embedder.embed)))
    return bars


def cosines(faces: Faces, vectors: np.ndarray) -> np.ndarray:
    """Return the cosine (N,) of each face's unit vector (N, D) to the mean of its person's references."""
    result = np.empty(len(vectors))
    for someone in np.unique(faces.identity):
        rows = faces.identity == someone
        mean = vectors[rows & (faces.factor == REFERENCE)].mean(0)
        result[rows] = vectors[rows] @ (mean / np.linalg.norm(mean))
    return result


def _ladders(name: str, faces: Faces, cosine: np.ndarray) -> list[Bar]:
    mean = {factor: faces.ladder(factor, cosine).mean(0) for factor in FACTORS}
    bars = [
        Bar(
            SUBJECT,
            f"{name}: {factor}, largest rise of the cosine",
            largest_rise(mean[factor]),
            TOLERANCE if factor in JUDGED else None,
            note=" ".join(f"{value:.2f}" for value in mean[factor]),
        )
        for factor in FACTORS
    ]
    turned = _cost(mean["yaw"], FACTORS["yaw"].levels, 30)
    gamma = max(
        _cost(mean["gamma darker"], FACTORS["gamma darker"].levels, 1.6),
        _cost(mean["gamma lighter"], FACTORS["gamma lighter"].levels, 1 / 1.6),
    )
    note = f"gamma {gamma:.3f}, yaw {turned:.3f}"
    bars.append(Bar(SUBJECT, f"{name}: cost of gamma 0.6..1.6 less that of yaw 30", gamma - turned, 0.0, note=note))
    return bars


def _cost(mean: np.ndarray, levels: tuple[float, ...], level: float) -> float:
    """Return the loss of cosine from the clean end of a ladder to a level of it."""
    return float(mean[0] - mean[levels.index(level)])
