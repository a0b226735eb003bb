"""The provenance of a run: models are models, and settings are none."""

from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.report_page.provenance import provenance
from tests.jobs.report_page.synthetic_run import config, make_ledger


def test_settings_of_the_models_section_are_no_models(tmp_path):
    """Under `models.mirrored_recognition` the table had a row: model 'True', role 'mirrored recognition', digest 'not
    recorded', licence 'not stated'."""
    chosen = {"mirrored_recognition": True, "more_embedders": ["bundled-b"], "scorers": ["sharpness"]}
    run = config(run={"url": str(tmp_path)}, models=chosen)
    storage = Storage(run.run.url)
    make_ledger(storage, run)
    manifest = load_run(storage)
    assert manifest.recipe["models"]["mirrored_recognition"] is True
    models = {model.name: model for model in provenance(run, manifest, storage, "d" * 64, []).models}
    assert "True" not in models
    assert [name for name in models if "mirrored" in models[name].roles] == []
    assert {"mtcnn", "bundled-a", "bundled-b", "bundled-clip"} <= set(models)
    assert models["sharpness"].digest == "none, it is code"
