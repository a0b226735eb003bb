"""ONNX files of quality models: the same scores for any batch, the contract inside, nothing half-written."""

import importlib.util
import json

import numpy as np
import onnx
import pytest

from synfiqa.actors.model_store.checks.canary import canary_images
from synfiqa.actors.quality.trained import onnx_export
from synfiqa.actors.quality.trained.onnx_export import export_onnx
from synfiqa.actors.quality.trained.onnx_scorer import OnnxScorer
from synfiqa.actors.quality.trained.quality_model import QualityModel
from synfiqa.schemas.errors import JobFailed, UserError
from tests.actors.nets.fiqa.tiny import card_of, tiny

FACES = np.random.default_rng(5).integers(0, 255, (4, 112, 112, 3), np.uint8)
# Luma half-way between two grey levels is rounded up or down by the last bit of a sum, as the processor orders it.
FACES[..., 2] += (FACES.astype(int) @ [299, 587, 114]) % 1000 == 500


def model_of(name, **fields) -> QualityModel:
    network = tiny(name)
    return QualityModel(network, card_of(name, network, **fields))


@pytest.mark.parametrize("name", ["quality-net", "compact", "compact-vit", "mobilefacenet", "iresnet50", "vit-s"])
def test_every_network_scores_in_onnx_as_in_torch(name, tmp_path):
    model, path = model_of(name), tmp_path / "mine.onnx"
    assert export_onnx(model, path) <= 1e-4
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.onnx"]
    scorer = OnnxScorer(path.read_bytes(), "mine.onnx")
    wanted = model.score(FACES)
    assert np.ptp(wanted) > 0
    np.testing.assert_allclose(scorer.score(FACES), wanted, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(scorer.score(FACES, batch=3), wanted, rtol=1e-4, atol=1e-4)
    assert scorer.score(FACES[:0]).shape == (0,)


def test_channels_and_range_of_the_card_are_inside(tmp_path):
    bgr = model_of("compact", channels="bgr", value_range=(0.0, 1.0))
    export_onnx(bgr, tmp_path / "bgr.onnx")
    scorer = OnnxScorer((tmp_path / "bgr.onnx").read_bytes(), "bgr.onnx")
    np.testing.assert_allclose(scorer.score(FACES), bgr.score(FACES), rtol=1e-4, atol=1e-4)
    assert np.abs(scorer.score(FACES) - model_of("compact").score(FACES)).max() > 1e-3


def test_metadata_hold_card_digest_and_input(tmp_path):
    model = model_of("compact", sha256="7" * 64)
    export_onnx(model, tmp_path / "mine.onnx")
    graph = onnx.load_model(str(tmp_path / "mine.onnx"))
    metadata = {entry.key: entry.value for entry in graph.metadata_props}
    assert metadata["synfiqa"] == "1"
    assert metadata["weights_sha256"] == "7" * 64
    assert json.loads(metadata["card"])["channels"] == "rgb"
    assert "uint8 (N, 112, 112, 3), RGB" in metadata["input"]
    card = OnnxScorer((tmp_path / "mine.onnx").read_bytes(), "mine.onnx").card
    assert card.model_copy(update={"sha256": "7" * 64}) == model.card


def test_opset_is_that_of_the_request(tmp_path):
    export_onnx(model_of("compact"), tmp_path / "mine.onnx", opset=15)
    assert onnx.load_model(str(tmp_path / "mine.onnx")).opset_import[0].version == 15
    for opset in (13, 99):
        with pytest.raises(UserError, match=f"--opset {opset} .*leave it out"):
            export_onnx(model_of("vit-s"), tmp_path / "other.onnx", opset=opset)
    assert not (tmp_path / "other.onnx").exists()


def test_a_file_that_scores_differently_is_not_kept(tmp_path, monkeypatch):
    path = tmp_path / "mine.onnx"
    path.write_bytes(b"before")
    monkeypatch.setattr(onnx_export, "TOLERANCE", -1.0)
    with pytest.raises(JobFailed, match="differently from torch"):
        export_onnx(model_of("compact"), path)
    assert path.read_bytes() == b"before"
    assert len(list(tmp_path.iterdir())) == 1


def test_without_the_extra_its_line_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr(
        onnx_export, "find_spec", lambda name: None if name == "onnx" else importlib.util.find_spec(name)
    )
    with pytest.raises(UserError, match=r"needs synfiqa\[onnx\].*uv sync --extra onnx"):
        export_onnx(model_of("compact"), tmp_path / "mine.onnx")


def test_a_foreign_onnx_file_is_refused(tmp_path):
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    result = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([node], "g", [value], [result])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    with pytest.raises(UserError, match=r"foreign.onnx is no exported quality model: .*synfiqa export-model"):
        OnnxScorer(model.SerializeToString(), "foreign.onnx")
    with pytest.raises(UserError, match="no working ONNX model"):
        OnnxScorer(b"hello", "foreign.onnx")


def test_only_aligned_faces_are_scored(tmp_path):
    export_onnx(model_of("compact"), tmp_path / "mine.onnx")
    scorer = OnnxScorer((tmp_path / "mine.onnx").read_bytes(), "mine.onnx")
    assert scorer.score(canary_images()).dtype == np.float64
    for wrong in (FACES[:, :100], FACES.astype(np.float32), FACES[0]):
        with pytest.raises(ValueError, match="uint8 RGB"):
            scorer.score(wrong)
