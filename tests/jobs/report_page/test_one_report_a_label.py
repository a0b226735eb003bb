"""Each label pass has a report of its own, with the models that were trained on it and no others."""

import json

import pytest

from synfiqa.cluster.run.file_roles import role_of
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.labels.label_pass import run_label
from synfiqa.jobs.cli import main
from synfiqa.jobs.workflows.report_file import report_path, run_report
from tests.jobs.report_page.synthetic_run import config, make_ledger, make_model, make_samples


def named(run, label: str, model: str):
    """Return the config with labels and model of these names; `costs` are labels of another formula."""
    spatial = {"spatial": "costs"} if label == "costs" else {}
    return run.model_copy(
        update={
            "label": run.label.model_copy(update={"name": label, **spatial}),
            "train": run.train.model_copy(update={"name": model}),
        }
    )


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """A run that is labelled twice, with two models on the first labels and one on the second."""
    folder = tmp_path_factory.mktemp("labels") / "run"
    run = config(identities=8, degraded=8, run={"url": str(folder), "seed": 5})
    storage = Storage(str(folder))
    make_samples(make_ledger(storage, run), run)
    for label, models in (("default", ("default", "second")), ("costs", ("frugal",))):
        run_label(named(run, label, "any"), storage)
        for model in models:
            make_model(storage, named(run, label, model))
    return run, storage


def page(storage: Storage, run) -> str:
    return storage.read(run_report(run, storage)).decode()


def test_a_report_on_other_labels_replaces_none_and_takes_no_model_of_theirs(twice):
    """Every report was report/index.html: the one on a second label name overwrote the first, and showed the second
    labels beside the model that was trained on the first ones."""
    run, storage = twice
    first = page(storage, named(run, "default", "default"))
    second = page(storage, named(run, "costs", "default"))
    assert storage.read("report/index.html").decode() == first
    assert storage.read("report/label-costs.html").decode() == second
    assert "1 less what each factor of the sample costs" in second
    assert "Model “frugal”" in second
    assert "Model “default”" not in second
    assert "Model “frugal”" not in first
    assert "The model default, which the config names, was trained on the labels default" in second


def test_all_models_of_the_labels_are_shown_that_of_the_config_first(twice):
    run, storage = twice
    for own, other in (("default", "second"), ("second", "default")):
        text = page(storage, named(run, "default", own))
        assert text.index(f"Model “{own}”") < text.index(f"Model “{other}”")
        assert "2 models are trained on these labels" in text
        assert f"The figures at the top of the page are those of {own}" in text
        assert 'class="missing"' not in text


def test_without_the_own_model_the_others_are_shown_and_it_is_named(twice):
    run, storage = twice
    text = page(storage, named(run, "default", "third"))
    assert "The model third, which the config names, is not trained yet (synfiqa train)." in text
    assert "Model “second”" in text


def test_a_model_of_former_labels_of_the_name_is_said_to_be_one(twice):
    """Labels that were deleted and made again by another formula have the name and the dataset of the old ones."""
    run, storage = twice
    path = "models/frugal/metrics.json"
    before = storage.read(path)
    metrics = json.loads(before)
    metrics["basis"]["label_sha256"] = "0" * 64
    storage.write(path, json.dumps(metrics).encode())
    text = page(storage, named(run, "costs", "frugal"))
    storage.write(path, before)
    assert "The model frugal was trained on other labels of the name costs" in text


def test_metrics_of_another_version_are_left_out_unless_they_are_the_own_ones(twice):
    run, storage = twice
    storage.write("models/newer/metrics.json", b'{"version": 2}')
    text = page(storage, named(run, "default", "default"))
    storage.delete("models/newer/metrics.json")
    assert "The model newer is left out: its metrics.json is of version 2." in text
    assert "Model “second”" in text


@pytest.mark.parametrize(("label", "path"), [("default", "report/index.html"), ("a.b", "report/label-a.b.html")])
def test_paths_of_reports_have_their_role(label, path):
    assert report_path(label) == path
    assert role_of(path) == "report"


def test_the_option_names_the_labels(twice, capsys):
    run = twice[0]
    with pytest.raises(SystemExit) as done:
        main(["report", "--run", run.run.url, "--label", "costs"])
    assert done.value.code == 0
    assert capsys.readouterr().out.strip().endswith("report/label-costs.html")
    with pytest.raises(SystemExit) as refused:
        main(["report", "--run", run.run.url, "--label", "nothing"])
    assert refused.value.code == 2
    said = capsys.readouterr().err
    assert "--label nothing" in said
    assert "costs, default" in said
