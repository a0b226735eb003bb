"""The bar of weights counts every file that ships, wherever it lies."""

import pytest

from benchmarks.quality.face_bars import weights
from benchmarks.quality.face_bars.settings import Settings


def test_networks_and_quality_model_are_weighed_together(tmp_path, monkeypatch):
    for file, size in (
        ("a/one.safetensors", 2_000_000),
        ("a/two.safetensors", 500_000),
        ("b/quality.safetensors", 10**6),
    ):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(bytes(size))
    monkeypatch.setattr(weights, "BUNDLED", tmp_path / "a")
    monkeypatch.setattr(weights, "BUNDLED_FILE", tmp_path / "b" / "quality.safetensors")
    (bar,) = weights.measure(Settings())
    assert bar.value == pytest.approx(3.5)
    assert "quality 1.00" in bar.note
