"""Networks of other seeds are judged like the bundled ones: every folder alone, then medians."""

import numpy as np
import pytest

from actors.model_store.catalogue import BUNDLED
from benchmarks.face_bars import dual_encoder
from benchmarks.face_bars.networks import network
from benchmarks.face_bars.settings import Settings
from cluster.errors import UserError


def test_a_folder_of_weights_and_cards_gives_running_networks():
    face = np.full((1, 112, 112, 3), 128, np.uint8)
    assert network(BUNDLED, "bundled-b").embed(face).shape == (1, 128)


def test_a_folder_without_them_is_told(tmp_path):
    with pytest.raises(UserError, match=r"bundled-a.yaml is missing: name folders that `synfiqa bootstrap"):
        network(tmp_path, "bundled-a")
    (tmp_path / "bundled-a.yaml").write_text((BUNDLED / "bundled-a.yaml").read_text())
    with pytest.raises(UserError, match=r"bundled-a.safetensors is missing"):
        network(tmp_path, "bundled-a")


def test_several_folders_make_medians(tmp_path, monkeypatch):
    found = {"first": 0.9, "second": 0.98, "third": 0.974}
    spread = {"v_l_q05": 0.0, "v_l_median": 0.1, "v_l_q95": 0.3}
    monkeypatch.setattr(dual_encoder, "network", lambda folder, name: found[folder.name])
    monkeypatch.setattr(dual_encoder, "held_out_renders", lambda settings: None)
    monkeypatch.setattr(
        dual_encoder, "caption_metrics", lambda value, renders: dict.fromkeys(dual_encoder.LIMITS, value) | spread
    )
    bars = dual_encoder.measure(Settings(networks=tuple(tmp_path / name for name in found)))
    assert (bars[0].name, bars[0].value, bars[0].met) == ("sharp or blurry, balanced accuracy", 0.974, True)
    assert bars[0].note == "median of 0.9, 0.98, 0.974"
