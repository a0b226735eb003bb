"""Levels Q0 to Q9 and Ref, and groups of people: their figures are those of audit.json; without one a sentence says
how to get it."""

import json

import pytest

from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.labels.label_pass import run_label
from synfiqa.jobs.report_page.page import render_page
from synfiqa.schemas.audit import LEVELS
from tests.jobs.report_page.synthetic_audit import make_audit
from tests.jobs.report_page.synthetic_run import config, make_ledger, make_model, make_samples
from tests.jobs.workflows.test_report_file import Page


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """A labelled run with an evaluated model, and no audit."""
    folder = tmp_path_factory.mktemp("audit") / "run"
    run = config(identities=6, degraded=6, run={"url": str(folder), "seed": 5})
    storage = Storage(str(folder))
    make_samples(make_ledger(storage, run), run)
    run_label(run, storage)
    make_model(storage, run)
    return run, storage


def text_with(run, storage: Storage, content: bytes | None = None) -> Page:
    """Return the page with this audit.json, which is deleted again."""
    if content is not None:
        storage.write("models/default/audit.json", content)
    try:
        return Page(render_page(run, storage))
    finally:
        storage.delete("models/default/audit.json")


def test_an_evaluation_without_an_audit_says_how_to_get_levels_and_groups(evaluated):
    text = text_with(*evaluated).text("evaluation")
    assert "evaluate default again to see them (synfiqa evaluate)" in text
    assert "Scores by level" not in text


def test_every_level_has_its_median_and_its_middle_half(evaluated):
    run, storage = evaluated
    audit = make_audit(storage)
    page = text_with(run, storage)
    text = page.text("evaluation").partition("Scores by level of the label")[2].partition("Scores by group")[0]
    for at, level in enumerate(LEVELS):
        own, other = (audit.methods[name].monotonicity.levels[at] for name in ("model", "sharpness"))
        cells = [f"{found.median:.3f} {found.lower:.3f} to {found.upper:.3f}" for found in (own, other)]
        assert f"{level} {own.n} {' '.join(cells)}".replace("-", "−") in text
    assert "model medians ascend; Kendall’s τ 0.93" in text
    assert "sharpness not ascending at Q3-Q4, Q6-Q7" in text
    assert "random" not in text, "what is drawn at random has no order to show"
    drawing = page.html.partition("Scores of model by level")[2].partition("</svg>")[0]
    assert [level for level in LEVELS if f">{level}<" not in drawing] == []


def test_every_group_has_pauc_and_rejected_share_with_their_intervals(evaluated):
    run, storage = evaluated
    audit = make_audit(storage)
    text = text_with(run, storage).text("evaluation").partition("Scores by group")[2]
    groups = audit.methods["model"].groups
    assert len(groups) == 15
    for found in groups:
        curve, rejected = found.curves[0], found.rejected
        share = (
            f"{100 * rejected.share:.3g} % {100 * rejected.interval.low:.3g} % to {100 * rejected.interval.high:.3g} %"
        )
        pauc = f"{curve.pauc:.3f} {curve.interval.low:.3f} to {curve.interval.high:.3f}"
        basis = "F₀ 10 %, 1,200 genuine, 9,000 impostor, 14 carriers (few)"
        assert f"{found.group} 9 190 {share} {pauc} {basis}" in text
    assert "skin tone 3, FMR 0.1 %: An FMR of 0.001 needs" in text
    assert "95 % percentile intervals of a bootstrap over the identities of the group" in text
    assert "Not recorded: age of 2 held-out identities." in text


def test_a_generator_without_attributes_has_levels_and_no_groups(evaluated):
    run, storage = evaluated
    make_audit(storage, grouped=False)
    text = text_with(run, storage).text("evaluation")
    assert "Groups are not shown: the identity generator records no attributes." in text
    assert "Scores by level of the label" in text


def test_an_audit_of_another_model_or_version_is_a_sentence(evaluated):
    run, storage = evaluated
    document = json.loads(make_audit(storage).model_dump_json())
    older = {**document, "basis": {**document["basis"], "model_sha256": "e" * 64}}
    text = text_with(run, storage, json.dumps(older).encode()).text("evaluation")
    assert "Levels and groups of default are those of another model: run synfiqa evaluate again." in text
    text = text_with(run, storage, b'{"version": 7}').text("evaluation")
    assert "models/default/audit.json is of version 7; evaluate default again" in text


def test_levels_without_images_have_no_figure(evaluated):
    run, storage = evaluated
    document = json.loads(make_audit(storage).model_dump_json())
    for method in document["methods"].values():
        method["monotonicity"]["levels"][4].update(n=0, median=None, lower=None, upper=None, mean=None)
    text = text_with(run, storage, json.dumps(document).encode()).text("evaluation")
    assert "Q4 0 none none Q5" in text
