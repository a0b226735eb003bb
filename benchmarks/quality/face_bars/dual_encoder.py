"""Bars of the image-text network: zero-shot accuracies on held-out people under random degradation."""

from pathlib import Path

from benchmarks.quality.face_bars.bar import Bar, medians
from benchmarks.quality.face_bars.embedders import held_out_renders
from benchmarks.quality.face_bars.networks import network
from benchmarks.quality.face_bars.settings import Settings
from synfiqa.fiqa_train.bundled.caption_metrics import caption_metrics
from synfiqa.fiqa_train.bundled.render_set import RenderSet

SUBJECT = "dual encoder"
LIMITS = {
    "sharp_or_blurry": 0.97,
    "sharp_or_blurry_undisturbed": 0.97,
    "frontal_or_profile": 0.96,
    "occluded_or_not": 0.88,
    "even_or_harsh_light": 0.85,
    "even_or_harsh_light_undisturbed": 0.85,
}


def measure(settings: Settings) -> list[Bar]:
    """Measure balanced zero-shot accuracies; undisturbed: over faces without other faults of the capture.

    Medians over folders of networks.
    """
    renders = held_out_renders(settings)
    return medians([_of_folder(folder, renders) for folder in settings.networks])


def _of_folder(folder: Path, renders: RenderSet) -> list[Bar]:
    found = caption_metrics(network(folder, "bundled-clip"), renders)
    spread = f"v_l 5 / 50 / 95 %: {found['v_l_q05']:.2f} {found['v_l_median']:.2f} {found['v_l_q95']:.2f}"
    return [
        Bar(SUBJECT, f"{name.replace('_', ' ')}, balanced accuracy", found[name], limit, ">=", note=spread)
        for name, limit in LIMITS.items()
    ]
