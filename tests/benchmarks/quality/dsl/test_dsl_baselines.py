"""Baselines and the linear probe of the benchmark of DSL-FIQA."""

import cv2
import numpy as np
import torch

from benchmarks.quality.dsl.baselines import luminance_statistics, regressed, sharpness_of
from benchmarks.quality.dsl.probe import probe_accuracy


def pictures(count):
    """Noise under rising blur."""
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (48, 48, 3), dtype=np.uint8) for _ in range(count)]
    return [cv2.GaussianBlur(image, (0, 0), 0.3 + 0.1 * number) for number, image in enumerate(noise)]


def test_luminance_statistics_predict_blur_on_other_images():
    images, blur = pictures(60), np.arange(60.0)
    features = np.stack([luminance_statistics(image) for image in images])
    assert features.shape == (60, 36)
    assert np.isfinite(features).all()
    even = blur % 2 == 0
    found = regressed(features[even], blur[even], features[~even])
    assert np.corrcoef(found, blur[~even])[0, 1] > 0.9


def test_sharpness_falls_with_blur():
    found = sharpness_of(pictures(12))
    assert (np.diff(found) < 0).all()


def test_a_linear_probe_names_what_a_plane_divides():
    rng = np.random.default_rng(0)
    kinds = np.arange(60) % 3
    features = torch.from_numpy((np.eye(3)[kinds] + 0.1 * rng.standard_normal((60, 3))).astype(np.float32))
    assert probe_accuracy(features[:30], kinds[:30], features[30:], kinds[30:]) == 1
    shuffled = rng.permutation(kinds)
    assert probe_accuracy(features[:30], shuffled[:30], features[30:], shuffled[30:]) < 0.8
