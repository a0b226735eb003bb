"""Networks of other seeds are judged like the bundled ones: every folder alone, then medians."""

import json

import numpy as np
import pytest

from benchmarks.quality import faces
from benchmarks.quality.face_bars import dual_encoder, embedders
from benchmarks.quality.face_bars.bar import Bar
from benchmarks.quality.face_bars.networks import network, require_networks
from benchmarks.quality.face_bars.settings import Settings
from synfiqa.actors.model_store.catalogue import BUNDLED
from synfiqa.schemas.errors import UserError


def test_a_folder_of_weights_and_cards_gives_running_networks():
    face = np.full((1, 112, 112, 3), 128, np.uint8)
    assert network(BUNDLED, "bundled-b").embed(face).shape == (1, 128)


def test_a_folder_without_them_is_told_before_anything_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["faces", "--only", "embedders", "--networks", str(BUNDLED), str(tmp_path)])
    with pytest.raises(
        SystemExit, match=r"bundled-a.yaml is missing or no model card: name folders that `synfiqa boot"
    ):
        faces.main()
    for card in BUNDLED.glob("bundled-*.yaml"):
        (tmp_path / card.name).write_text(card.read_text())
    with pytest.raises(UserError, match=r"bundled-a.safetensors is missing: name folders"):
        require_networks([BUNDLED, tmp_path])


def test_the_command_judges_the_folders_and_writes_which(tmp_path, monkeypatch, capsys):
    target = tmp_path / "bars.json"
    monkeypatch.setattr(embedders, "measure", lambda settings: [Bar("embedders", "folders", len(settings.networks))])
    chosen = ["--networks", str(BUNDLED), str(BUNDLED), "--json", str(target)]
    monkeypatch.setattr("sys.argv", ["faces", "--only", "embedders", *chosen])
    faces.main()
    document = json.loads(target.read_text())
    assert document["settings"]["networks"] == [str(BUNDLED)] * 2
    assert document["bars"][0]["value"] == 2


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
