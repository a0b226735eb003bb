"""Labels of ladders lie on the frozen scale of a run, and only on that of networks that are still here."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.quality.face_bars import labels
from benchmarks.quality.face_bars.ladders.factors import FACTORS
from benchmarks.quality.face_bars.ladders.ladder_set import ladder_faces
from benchmarks.quality.face_bars.ladders.people import base_recipe, person, references
from synfiqa.actors.face3d import HeadRenderer
from synfiqa.actors.model_store.cache import digest_of
from synfiqa.actors.model_store.catalogue import Catalogue
from synfiqa.actors.model_store.selection import run_models
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.labels.fusion import Components, fit
from synfiqa.schemas.calibration import Calibration, Costs, FactorCost
from synfiqa.schemas.config.models import ModelsSection
from synfiqa.schemas.errors import UserError

CHOSEN = run_models(ModelsSection())


@pytest.fixture(scope="module")
def calibration():
    rng = np.random.default_rng(0)
    components = Components(
        recognition=rng.uniform(-0.1, 0.9, 400),
        vision_language=rng.uniform(0, 0.5, 400),
        yaw=np.abs(rng.normal(0, 25, 400)),
        downsample=np.maximum(1, rng.uniform(0.5, 4, 400)),
        blur=np.maximum(1, rng.uniform(0.5, 4, 400)),
    )
    scale, _ = fit(components, 0.5)
    named = {"name": "default", "embedder": "bundled-a", "image_text": "bundled-clip"}
    empty = {"fingerprint": "", "dataset_sha256": "", "frozen_from": "", "samples": 400, "clipped": 0, "parts": []}
    return Calibration(**named, **empty, scale=scale)


@pytest.fixture(scope="module")
def faces():
    chosen = [FACTORS["resolution"], FACTORS["yaw"]]
    return ladder_faces(person(0, 2), base_recipe(0, 2), references(0, 2), chosen, 2, HeadRenderer(supersample=1))


def test_a_label_is_the_fusion_on_the_runs_scale(calibration, faces):
    quality = labels.fused_labels(calibration, faces, CHOSEN)
    (resolution,), (yaw,) = faces.ladder("resolution", quality), faces.ladder("yaw", quality)
    assert resolution[0] == yaw[0]  # both start from the same clean face
    assert resolution[0] > 1.5 * resolution[-1]
    assert yaw[0] > 1.5 * yaw[-1]


def test_a_run_with_costs_is_judged_by_its_costs(calibration, faces):
    """The cost of yaw alone is known to this scale, so only the ladder of yaw may differ by it."""
    yaw = FactorCost(factor="yaw", top=90.0, knots=[0.0], weights=[0.8])
    # without v_l, which divides the loss
    known = {"costs": Costs(constant=0.1, factors=[yaw]), "vision_language_weight": 0.0}
    scale = calibration.scale.model_copy(update=known)
    free = scale.model_copy(update={"costs": Costs(constant=0.1, factors=[])})
    with_cost, without = (
        labels.fused_labels(calibration.model_copy(update={"scale": one}), faces, CHOSEN) for one in (scale, free)
    )
    share = calibration.scale.spatial_weight / (scale.raw_max - scale.raw_min)
    lost = faces.ladder("yaw", without - with_cost)[0]
    assert (np.diff(lost) > 0).all()
    assert lost[-1] == pytest.approx(0.8 * share * faces.yaw[faces.factor == "yaw"][-1] / 90, rel=1e-5)
    assert (faces.ladder("resolution", without - with_cost) < 0.05).all()


def test_mirror_images_are_measured_where_the_run_measured_them(calibration, faces):
    plain = labels.fused_labels(calibration, faces, CHOSEN)
    mirrored = labels.fused_labels(calibration, faces, replace(CHOSEN, mirrored_recognition=True))
    assert not np.allclose(plain, mirrored)
    assert np.corrcoef(plain, mirrored)[0, 1] > 0.9


def test_labels_beyond_the_scale_are_not_clipped(calibration, faces):
    narrow = calibration.scale.model_copy(update={"raw_max": calibration.scale.raw_min + 0.3})
    quality = labels.fused_labels(calibration.model_copy(update={"scale": narrow}), faces, CHOSEN)
    assert quality.max() > 1.5
    wide = labels.fused_labels(calibration, faces, CHOSEN)
    assert np.corrcoef(quality, wide)[0, 1] == pytest.approx(1)


def test_a_run_that_was_measured_with_other_weights_is_refused(tmp_path, monkeypatch):
    catalogue = Catalogue.load()
    used = {name: digest_of(catalogue.model(name)) for name in ("bundled-a", "bundled-clip")}
    monkeypatch.setattr(labels, "load_run", lambda _: SimpleNamespace(recipe={"model_digests": used}, config={}))
    labels.networks_of(Storage(str(tmp_path)))
    used["bundled-clip"] = "0" * 64
    with pytest.raises(UserError, match="other weights of bundled-clip than are here now"):
        labels.networks_of(Storage(str(tmp_path)))
