"""A run as a test set: its samples with identities and references, whole identities up to a limit."""

import numpy as np

import synfiqa.fiqa_train.datasets.run_set as run_set
from synfiqa.fiqa_train.datasets.formats import open_test_sets
from tests.fiqa_train.labelled_run import make_run
from tests.fiqa_train.small_photos import read_all


def test_samples_are_the_images(tmp_path, monkeypatch):
    config, _ = make_run(tmp_path / "run", labels=False, generate={"identities": 5})
    (found,) = open_test_sets([f"run={tmp_path / 'run'}"])
    per_identity = config.generate.references + config.generate.degraded
    assert found.format == "run of synfiqa"
    assert len(found.ids) == 5 * per_identity
    assert np.bincount(found.identity).tolist() == [per_identity] * 5
    assert found.is_reference.sum() == 5 * config.generate.references
    images, reasons = read_all(found)
    assert images.shape == (50, 112, 112, 3)
    assert reasons == [""] * 50
    monkeypatch.setattr(run_set, "MAX_IMAGES", 11)
    (less,) = open_test_sets([f"run={tmp_path / 'run'}"])
    assert less.ids == found.ids[:20]
    np.testing.assert_array_equal(read_all(less)[0], images[:20])
