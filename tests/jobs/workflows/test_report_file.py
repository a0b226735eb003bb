"""The report: its figures are those of the data, it stands alone, names in the data stay text, parts may be missing."""

import base64
import io
import json
import re
import shutil
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from synfiqa.actors.degradation.recipe_sampler import identity_recipes
from synfiqa.actors.stages.shard_writer import sample_counts
from synfiqa.cluster.commits.shard_store import ShardStore, commit_path
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.spans import StageTrace, to_provenance
from synfiqa.fiqa_train.labels.label_pass import read_calibration, read_labels, run_label
from synfiqa.jobs.report_page import data, factors
from synfiqa.jobs.report_page.data import EXPRESSIONS
from synfiqa.jobs.report_page.factors import commanded
from synfiqa.jobs.report_page.page import render_page
from synfiqa.jobs.report_page.pictures import SIDE, picture
from synfiqa.jobs.workflows.report_file import run_report
from synfiqa.schemas.config.generate import GenerateSection
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.manifest import DeadRow
from synfiqa.schemas.rows import SAMPLES
from tests.jobs.report_page.synthetic_run import MODELS, config, make_ledger, make_model, make_samples

PAGE = "report/index.html"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&$x$"


@dataclass
class Page(HTMLParser):
    """A page as a browser sees it: tags with attributes, visible text by section, captions by picture."""

    html: str
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    sections: dict[str, list[str]] = field(default_factory=lambda: {"": []})
    _section: str = ""

    def __post_init__(self):
        super().__init__(convert_charrefs=True)
        self.feed(self.html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        if tag == "section":
            self._section = dict(attrs)["id"]
            self.sections[self._section] = []

    def handle_endtag(self, tag):
        if tag == "section":
            self._section = ""

    def handle_data(self, data):
        self.sections[self._section].append(data)

    def text(self, section: str) -> str:
        return " ".join(" ".join(self.sections[section]).split())

    def attributes(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def report(run: RunConfig, storage: Storage) -> Page:
    run_report(run, storage)
    return Page(storage.read(PAGE).decode())


def make_model_elsewhere(run, folder, names: dict[str, str]) -> Page:
    """Return the page of a copy of the run whose evaluation has other names."""
    shutil.copytree(run.run.url, folder)
    copy = Storage(str(folder))
    make_model(copy, run, names)
    return Page(render_page(run, copy))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run with everything that needs no trained network, and its page."""
    folder = tmp_path_factory.mktemp("report") / "whole"
    run = config(run={"url": str(folder), "seed": 5})
    storage = Storage(str(folder))
    store = make_ledger(storage, run)
    make_samples(store, run)
    run_label(run, storage)
    make_model(storage, run)
    return run, storage, store, report(run, storage)


@pytest.fixture(scope="module")
def evaluated(whole):
    """The evaluation of the whole run as it was written, and the page."""
    _, storage, _, page = whole
    return json.loads(storage.read("models/default/evaluation.json")), page


def test_headline_figures_are_those_of_the_commits(whole):
    _, _, _, page = whole
    text = page.text("")
    assert "Samples 144 24 references, 120 degraded" in text
    assert "Identities 12 of 24 candidates; 12 rejected, 0 dead" in text


def test_planned_is_accepted_plus_rejected_plus_dead(whole):
    _, _, store, page = whole
    found = re.search(r"(\d+) planned = (\d+) accepted \+ (\d+) rejected \+ (\d+) dead", page.text("candidates"))
    planned, accepted, rejected, dead = (int(number) for number in found.groups())
    assert planned == accepted + rejected + dead
    assert planned == sum(commit.file.rows for commit in store.committed("identities").values())


def test_rejects_are_counted_by_reason_in_the_ledger(whole):
    _, _, store, page = whole
    ledger = Counter(
        row["reason"].replace("_", " ")
        for table in store.tables("identities", ["status", "reason"])
        for row in table.to_pylist()
        if row["status"] == "rejected"
    )
    svg = re.search(r"<svg[^>]*Rejected candidates.*?</svg>", page.html, re.DOTALL).group()
    drawn = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    names, numbers = drawn[: len(ledger)], [int(number) for number in drawn[len(ledger) :]]
    assert dict(zip(names, numbers, strict=True)) == dict(ledger)


def test_reject_examples_show_the_measured_value(whole):
    page = whole[3]
    text = page.text("candidates")
    assert "head turned by 20° or more −27°" in text
    assert "cosine to an accepted identity above 0.6 0.71" in text


def test_groups_have_the_counts_and_ranges_of_all_labels(whole):
    run, storage, _, page = whole
    labels = read_labels(storage, run.label.name).to_pandas()
    for name, rows in labels.groupby("group"):
        low, high = rows["quality"].min(), rows["quality"].max()
        assert f"{name} {low:.2f} to {high:.2f}, {len(rows)} samples" in page.text("labels")


def test_captions_are_the_labels_of_the_very_samples_shown(whole):
    run, storage, _, page = whole
    labels = read_labels(storage, run.label.name).to_pandas().set_index("sample_id")["quality"]
    shown = re.findall(
        r'<figure class="face"><img [^>]*alt="(\d{6}/\d+): [^"]*"[^>]*><figcaption><b>([\d.]+)</b>', page.html
    )
    assert len(shown) >= 2 * run.generate.degraded
    assert all(f"{labels[sample]:.2f}" == caption for sample, caption in shown)


def test_degraded_samples_of_an_identity_run_from_best_to_worst(whole):
    run, _, _, page = whole
    samples = page.html.partition('id="samples"')[2].partition("</section>")[0]
    captions = re.findall(r"<figcaption><b>([\d.]+)</b>", samples)
    first, second = captions[: run.generate.degraded], captions[run.generate.degraded :]
    assert first == sorted(first, reverse=True)
    assert second == sorted(second, reverse=True)


def test_pictures_are_the_stored_bytes(whole):
    _, _, store, page = whole
    table = store.read(store.committed("samples")[0], ["sample_id", "image"]).to_pylist()
    stored = {row["sample_id"]: row["image"]["bytes"] for row in table}
    shown = {
        image["alt"].partition(":")[0]: base64.b64decode(image["src"].partition(",")[2])
        for image in page.attributes("img")
        if image["alt"].startswith("000000/")
    }
    assert shown
    assert all(stored[name] == content for name, content in shown.items())


def test_the_first_reference_of_every_identity_is_on_the_sheet(whole):
    page = whole[3]
    sheet = page.html.partition('id="identities"')[2].partition("</section>")[0]
    assert re.findall(r'alt="(\d{6})/Ref-0:', sheet) == [f"{identity:06d}" for identity in range(12)]


def test_provenance_names_seed_fingerprint_digest_models_and_config(whole):
    _, storage, store, page = whole
    text = page.text("provenance")
    expected = ["seed 5", load_run(storage).fingerprint, store.dataset_digest(), *MODELS, *MODELS.values()]
    assert [value for value in expected if value not in text] == []
    assert "identities_per_shard: 4" in text
    assert "numpy" in text


def test_the_work_is_told_where_commits_remember_it(tmp_path, whole):
    assert "GPU busy" not in whole[3].text("provenance")
    run = config(run={"url": str(tmp_path)})
    storage = Storage(run.run.url)
    units = make_ledger(storage, run).committed("identities")
    for number in units:
        painted = StageTrace(1000.0 + 60 * number, "node/1@900", "GPU-1", 0.96, 3 * 2**30)
        entries = to_provenance({HOSTILE: 60.0}, {HOSTILE: painted})
        path = commit_path("identities", number)
        storage.write(path, json.dumps(json.loads(storage.read(path)) | {"provenance": entries}).encode())
    page = report(run, storage)
    text = page.text("provenance")
    assert f"{HOSTILE} {len(units)} {len(units)}:00 60 1 100.0 % 96.0 % 3.0 GiB" in text
    assert f"1 worker of {HOSTILE} at work 100.0 %, 1 GPU busy 96.0 %." in text
    assert not {"script"} & {tag for tag, _ in page.tags}


def test_page_loads_nothing_and_runs_nothing(whole):
    page = whole[3]
    assert len(page.html) < 5e6
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object", "embed", "base", "form", "image"}
    for tag, attributes in page.tags:
        assert not [key for key in attributes if key.startswith("on")], tag
        for key in ("src", "href", "clip-path", "style", "srcset", "data", "action"):
            value = attributes.get(key, "")
            assert "//" not in value.removeprefix("data:image/jpeg;base64,") or tag == "img"
            assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", value))
        assert attributes.get("src", "data:image/").startswith("data:image/")
        assert attributes.get("href", "#").startswith("#")
    style = page.html.partition("<style>")[2].partition("</style>")[0]
    assert not re.search(r"url\(|@import|http", style)
    assert "default-src 'none'" in page.html


def test_no_fact_needs_a_pointer_over_a_picture_and_none_waits_for_scrolling(whole):
    """Degradations stood in the title of a picture alone, which neither paper nor a phone shows; pictures further down
    were loaded when they came into view, so that a print or a screenshot of the page had holes."""
    run, _, _, page = whole
    assert [attributes for _, attributes in page.tags if "title" in attributes or "loading" in attributes] == []
    shown = [image["alt"] for image in page.attributes("img") if re.match(r"\d{6}/\d+: ", image["alt"])]
    assert len(shown) >= 2 * run.generate.degraded
    text = page.text("samples") + page.text("labels")
    assert [remark for remark in shown if " ".join(remark.split()) not in text] == []


def test_results_stand_under_their_judge_with_level_and_resampling_of_the_intervals(whole, tmp_path):
    run = whole[0]
    shutil.copytree(run.run.url, tmp_path / "judges")
    copy = Storage(str(tmp_path / "judges"))
    path = "models/default/evaluation.json"
    document = json.loads(copy.read(path))
    other = [{**result, "embedder": "bundled-a", "independent": False} for result in document["results"]]
    copy.write(path, json.dumps({**document, "results": other + document["results"]}).encode())
    text = Page(render_page(run, copy)).text("evaluation")
    first, second = text.partition("Judged by bundled-a")[::2]
    assert "Judged by bundled-b" in first, "the judge of the headline stands first"
    assert first.count("quality from") == second.count("quality from") == 4
    assert "independent of the labels" in first
    assert "judges its own" in second
    assert "judge bundled-a" in second
    assert "judge bundled-b" not in second
    assert (
        "95 % percentile intervals of a bootstrap over identities: each of 20 resamples draws as many held-out "
        "identities as there are, with replacement" in text
    )
    assert "the 95 % interval of the mean of 200 random orders of the images" in text


def test_ids_are_unique_and_every_reference_leads_somewhere(whole):
    page = whole[3]
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [attributes["href"][1:] for _, attributes in page.tags if "href" in attributes]
    targets += re.findall(r'clip-path="url\(#([^)]*)\)"', page.html)
    assert set(targets) <= set(ids)


def test_drawings_have_no_colour_of_their_own(whole):
    svgs = re.findall(r"<svg.*?</svg>", whole[3].html, re.DOTALL)
    assert len(svgs) >= 10
    assert set(re.findall(r"#[0-9a-fA-F]{6}\b", "".join(re.findall(r'style="[^"]*"', "".join(svgs))))) == set()


def test_a_complete_run_misses_nothing(whole):
    assert 'class="missing"' not in whole[3].html
    assert len(whole[3].sections) == 10


def test_without_a_model_only_training_and_evaluation_are_missing(tmp_path, whole):
    run, _, _, page = whole
    storage = Storage(
        str(shutil.copytree(run.run.url, tmp_path / "untrained", ignore=shutil.ignore_patterns("models")))
    )
    partial = Page(render_page(run, storage))
    assert "Not there yet: a trained model (synfiqa train), an evaluation (synfiqa evaluate)." in partial.text("")
    assert set(page.sections) - set(partial.sections) == {"training", "evaluation"}


def test_headline_shows_spearman_and_pauc_beside_sharpness(evaluated):
    document, page = evaluated
    model, sharpness = (document["headline"]["methods"][name] for name in ("model", "sharpness"))
    text = page.text("")
    spearman = document["spearman"]
    assert f"{spearman['model']:.3f} sharpness {spearman['sharpness']:.3f} 120 images of 12 held-out" in text
    assert f"pAUC of the model {model['pauc']:.3f} sharpness {sharpness['pauc']:.3f} 95 % over identities: " in text
    ranges = (f"{m['interval']['low']:.3f} to {m['interval']['high']:.3f}" for m in (model, sharpness))
    assert " and ".join(ranges) in text


def test_every_operating_point_has_its_table(evaluated):
    document, page = evaluated
    text = page.text("evaluation")
    assert len(document["results"]) == text.count("quality from") == 4
    for result in document["results"]:
        title = f"{result['mode'].capitalize()} mode, FMR {100 * result['fmr']:.3g} %"
        part = text.partition(title)[2].partition("mode, FMR")[0]
        for name, method in (("model", "model"), ("sharpness", "sharpness"), ("random", "random")):
            found, bounds = result["methods"][method], result["methods"][method]["interval"]
            row = f"{name} {found['pauc']:.3f} {bounds['low']:.3f} to {bounds['high']:.3f}"
            assert row in part
            assert f"{found['auc']:.4f} {found['above_ideal']:.3f}".replace("-", "−") in part.partition(row)[2]
        for fact in (
            f"mode {result['mode']} judge bundled-b FMR {100 * result['fmr']:.3g} %",
            f"F₀, FNMR without discarding {100 * result['fnmr0']:.3g} % R, largest discarded share 30 %",
            "pairs probe-reference: each of a degraded probe and a clean reference",
            f"genuine pairs {result['n_genuine']:,} impostor pairs {result['n_impostor']:,} (a sample)",
            f"carriers, identity pairs above the threshold {result['carriers']:,}",
        ):
            assert fact in part
    assert "FMR 0.0001 % is left out: An FMR of 1e-06 needs" in text


def test_paired_differences_stand_beside_the_other_method(evaluated):
    document, page = evaluated
    entry = next(entry for entry in document["results"][0]["differences"] if entry["other"] == "sharpness")
    low, high = entry["interval"]["low"], entry["interval"]["high"]
    expected = f"{entry['difference']:+.3f} {low:.3f} to {high:.3f}".replace("-", "−")
    assert expected in page.text("evaluation")


def test_evaluations_of_other_scorers_are_shown(whole, tmp_path):
    run = whole[0]
    other = make_model_elsewhere(run, tmp_path / "other", {"sharpness": "norm"})
    assert "norm" in other.text("evaluation")
    assert "sharpness" not in other.text("")


def test_training_names_the_epoch_that_was_kept(whole):
    text = whole[3].text("training")
    assert "5 epochs on 70 images of 7 identities, started from the recognition network. Epoch 4 agreed best" in text


def test_figures_without_a_value_are_said_to_have_none(tmp_path):
    run = config(run={"url": str(tmp_path)})
    storage = Storage(run.run.url)
    make_samples(make_ledger(storage, run), run)
    run_label(run, storage)
    document = make_model(storage, run)
    for result in [*document["results"], document["headline"]]:
        for found in result["methods"].values():
            found.update(pauc=None, interval=None)
            found.update({"note": "no false non-match", "fnmr": [None] * len(found["fnmr"])} if "fnmr" in found else {})
        for entry in result.get("differences", []):
            entry.update(difference=None, interval=None)
    storage.write("models/default/evaluation.json", json.dumps(document).encode())
    page = report(run, storage)
    assert "pAUC of the model none sharpness none lower is better" in page.text("")
    assert page.text("evaluation").count("no false non-match") == len(document["results"]), "one reason for all methods"


def test_the_page_says_which_fusion_made_the_labels(whole):
    text = whole[3].text("labels")
    assert "the worst of three ranks (head turn, lost resolution, blur)" in text
    assert "(f r + 0.5 · s d ) / (1 − v l )" in text
    assert "costs" not in text
    assert "chance" not in text
    assert "worst of three ranks, 0 to 1" in whole[3].text("components")


def test_labels_by_costs_are_shown_with_what_each_factor_costs(tmp_path):
    fused = {"spatial": "costs", "spatial_weight": 0.35, "vision_language_weight": 0.25, "match_threshold": 0.5}
    run = config(run={"url": str(tmp_path)}, label=fused, models={"mirrored_recognition": True})
    storage = Storage(run.run.url)
    make_samples(make_ledger(storage, run), run)
    run_label(run, storage)
    page = report(run, storage)
    text = page.text("labels")
    assert "1 less what each factor of the sample costs recognition" in text
    assert (
        "the person in the image and its mirror image (as the chance that a cosine threshold of 0.5 accepts it)" in text
    )
    assert "(f r + 0.35 · s d ) / (1 − 0.25 · v l )" in text
    costs = {cost.factor: cost.at_top for cost in read_calibration(storage, "default").scale.costs.factors}
    named, largest = max(costs.items(), key=lambda cost: cost[1])
    assert f"cost at its worst {named.replace('_', ' ')} {largest:.2f}" in text
    assert "1 less the costs of all factors" in page.text("components")


def test_parts_made_from_something_older_are_called_so(tmp_path):
    run = config(run={"url": str(tmp_path)})
    storage = Storage(run.run.url)
    store = make_ledger(storage, run)
    make_samples(store, run)
    run_label(run, storage)
    evaluation = make_model(storage, run)
    evaluation["basis"]["model_sha256"] = "e" * 64
    storage.write("models/default/evaluation.json", json.dumps(evaluation).encode())
    store.commit("identities", 3, store.read(store.committed("identities")[0]), {"accepted": 4, "rejected": 4})
    text = report(run, storage).text("")
    assert "The labels are older than the shards" in text
    assert "The model default was trained on other shards" in text
    assert "The evaluation of default is that of an earlier model" in text


def test_equal_runs_give_equal_pages(whole):
    run, storage, _, page = whole
    assert report(run, storage).html == page.html


def test_a_run_that_has_only_begun_says_what_is_missing(tmp_path):
    run = config(run={"url": str(tmp_path / "begun")})
    storage = Storage(run.run.url)
    make_ledger(storage, run)
    page = report(run, storage)
    assert (
        "Not there yet: 3 of 3 shards (synfiqa generate), labels (synfiqa label), a trained model (synfiqa train), "
        "an evaluation (synfiqa evaluate)." in page.text("")
    )
    assert set(page.sections) == {"", "candidates", "provenance"}


def test_without_labels_samples_and_raw_components_are_shown(tmp_path):
    run = config(run={"url": f"memory://report-{tmp_path.name}"}, storage={"format": "webdataset"})
    storage = Storage(run.run.url)
    make_samples(make_ledger(storage, run), run)
    page = report(run, storage)
    assert set(page.sections) == {"", "identities", "samples", "components", "candidates", "provenance"}
    assert page.html.count("<svg") == 3
    assert len(page.attributes("img")) > 12


def test_dead_samples_are_named(tmp_path):
    run = config(run={"url": str(tmp_path)})
    storage = Storage(run.run.url)
    store = make_ledger(storage, run)
    dead = DeadRow(item="000001/3", stage="annotator", error=HOSTILE, attempts=2)
    counts = {"planned": 1, "accepted": 0, "rejected": 0, "dead": 1, "reference": 0, "degraded": 0}
    store.commit("samples", 1, SAMPLES.empty_table(), counts, dead=[dead])
    page = report(run, storage)
    assert f"Dead samples: 1. The first, 000001/3, failed in annotator after 2 attempts: {HOSTILE}" in page.text("")


def test_no_run_folder_is_a_user_error_and_nothing_is_written(tmp_path):
    with pytest.raises(UserError, match="no run folder"):
        run_report(config(), Storage(str(tmp_path / "nothing")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("part", "content", "message"),
    [
        ("metrics", b'{"history": [', "is not JSON"),
        ("metrics", b"[]", "holds no JSON object"),
        ("metrics", b'{"history": []}', "is not of this version"),
        ("metrics", b'{"version": 2}', "is of version 2; report with the synfiqa that wrote it"),
        ("evaluation", b'{"version": 1, "headline": {}, "results": [{}]}', "is not of this version"),
    ],
)
def test_a_damaged_part_fails_by_name_and_keeps_the_old_page(tmp_path, part, content, message):
    run = config(identities=4, degraded=4, run={"url": str(tmp_path)})
    storage = Storage(run.run.url)
    make_samples(make_ledger(storage, run), run)
    run_label(run, storage)
    make_model(storage, run)
    before = report(run, storage).html
    storage.write(f"models/default/{part}.json", content)
    with pytest.raises(JobFailed, match=rf"models/default/{part}\.json {message}"):
        run_report(run, storage)
    assert storage.read(PAGE).decode() == before


@pytest.mark.parametrize(
    ("change", "named"), [({"version": None}, "a version without number"), ({"version": 2}, "version 2")]
)
def test_an_evaluation_of_another_version_is_a_sentence_on_the_page(tmp_path, change, named):
    run = config(run={"url": str(tmp_path)})
    storage = Storage(run.run.url)
    make_samples(make_ledger(storage, run), run)
    run_label(run, storage)
    document = {key: value for key, value in (make_model(storage, run) | change).items() if value is not None}
    storage.write("models/default/evaluation.json", json.dumps(document).encode())
    page = report(run, storage)
    sentence = f"The evaluation in models/default/evaluation.json is of {named}: run synfiqa evaluate, which makes it"
    assert sentence in page.text("")
    assert "Not there yet" not in page.text("")
    assert "training" in page.sections
    assert "evaluation" not in page.sections


def test_metrics_of_before_versions_are_reported(tmp_path):
    run = config(run={"url": str(tmp_path)})
    storage = Storage(run.run.url)
    make_samples(make_ledger(storage, run), run)
    run_label(run, storage)
    make_model(storage, run)
    metrics = json.loads(storage.read("models/default/metrics.json"))
    assert metrics.pop("version") == 1
    storage.write("models/default/metrics.json", json.dumps(metrics).encode())
    assert "5 epochs on 70 images" in report(run, storage).text("training")


SCENES = ("", "in a barn", "in the rain", "wearing sunglasses", *(f"in room {number:02d}" for number in range(12)))


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    """A run by diffusion, labelled; its recipes command occluders that no column of such a run would hold."""
    folder = tmp_path_factory.mktemp("report") / "painted"
    models = {"conditional_generator": "diffusion", "conditional_diffusion": "sd"}
    run = config(6, run={"url": str(folder), "seed": 5}, models=models, diffusion={"min_identity": -0.25})
    storage = Storage(str(folder))

    def told(*arguments):
        drawn = enumerate(identity_recipes(*arguments))
        return [
            recipe
            if recipe.kind == "reference"
            else recipe.model_copy(
                update={"template": f"DEG-{number % 7:05d}", "prompt": f"a face {SCENES[recipe.seed % 16]}".strip()}
            )
            for number, recipe in drawn
        ]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.jobs.report_page.synthetic_run.identity_recipes", told)
        store = make_ledger(storage, run)
        make_samples(store, run)
    lost = [DeadRow(item=f"000006/{n}", stage="g", error="e", attempts=3, reason="other_person") for n in range(2)]
    store.commit("samples", 2, SAMPLES.empty_table(), sample_counts(SAMPLES.empty_table(), lost), dead=lost)
    run_label(run, storage)
    return run, storage, store, report(run, storage)


def drawings(page: Page) -> set[str]:
    return set(re.findall(r"<figcaption>([^<]*)<", page.html.partition('id="factors"')[2].partition("</section>")[0]))


def test_what_diffusion_does_not_command_is_not_drawn_whatever_the_columns_hold(whole, painted):
    scene = {"Harsh light", "Exposure", "Coloured light", "Camera distance", "Occluder", "Expression"}
    scene |= {"Nod", "Head tilt", "Gaze", "Background"}
    crop = {"Head turn", "Lost resolution", "Blur", "Shake", "Sensor noise", "Compression", "Bad alignment"}
    everything = scene | crop
    assert drawings(whole[3]) == everything
    assert drawings(painted[3]) == crop
    assert [text in page.text("factors") for page in (whole[3], painted[3]) for text in ("bars span", "ρ is")] == [
        *(True, True),
        *(False, True),
    ]
    assert "prompts" not in whole[3].sections


@pytest.mark.parametrize(
    ("settings", "left_out"),
    [
        ({"occluder_rate": 0.0}, "occluder"),
        ({"expression_rate": 0.0}, "expression"),
        ({"yaw_std": 0.0}, "measured_yaw"),
        ({"pitch_std": 0.0}, "pitch"),
        ({"roll_std": 0.0}, "roll"),
        ({"motion_rate": 0.0}, "motion"),
        ({"noise_rate": 0.0, "exposure_rate": 0.0}, "noise"),
        ({"cast_rate": 0.0}, "light_cast"),
        ({"misalignment_rate": 0.0}, "misalignment"),
        ({"jpeg_rate": 0.0}, "jpeg_quality"),
        ({"scale_intervals": [[0.5, 1]], "scale_weights": [1]}, "blur downsample"),
        ({"scale_intervals": [[0.5, 1], [2, 3]], "scale_weights": [1, 0]}, "blur downsample"),
    ],
)
def test_a_factor_that_the_config_never_varies_is_not_drawn(settings, left_out):
    run = config()
    generate = run.generate.model_dump() | {"degraded_distribution": settings}
    changed = run.model_copy(update={"generate": GenerateSection.model_validate(generate)})
    assert commanded(run) - commanded(changed) == set(left_out.split())


def test_under_diffusion_dark_pictures_bring_no_noise():
    models = {"conditional_generator": "diffusion", "conditional_diffusion": "sd"}
    run = config(models=models, generate={"degraded_distribution": {"noise_rate": 0.0}})
    assert "noise" not in commanded(run)


def test_every_expression_unit_has_its_row(monkeypatch):
    drawn = {}
    monkeypatch.setattr(factors, "factor_boxes", lambda groups, *_: drawn.update(groups) or "")
    samples = pd.DataFrame({unit: np.eye(len(EXPRESSIONS) + 1)[row] for row, unit in enumerate(EXPRESSIONS)})
    samples["quality"] = np.linspace(0, 1, len(samples))
    factors.factor_plots(samples, {"expression"})
    assert list(drawn) == ["neutral", *reversed(EXPRESSIONS)]  # best label first


def test_prompts_stand_with_their_count_and_their_mean_label(painted):
    run, storage, store, page = painted
    quality = {row["sample_id"]: row["quality"] for row in read_labels(storage, run.label.name).to_pylist()}
    found = {}
    for table in store.tables("samples", ["sample_id", "kind", "prompt"]):
        for row in table.to_pylist():
            if row["kind"] == "degraded":
                found.setdefault(row["prompt"], []).append(quality[row["sample_id"]])
    ranked = sorted(found.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    assert len(ranked) == 16
    text = page.text("prompts")
    places = [text.index(f" {name} {len(labels)} {np.mean(labels):.2f} ") for name, labels in ranked[:12]]
    assert places == sorted(places)
    rest = [label for _, labels in ranked[12:] for label in labels]
    assert f"4 others {len(rest)} {np.mean(rest):.2f}" in text
    assert "60 degraded samples under 7 different templates, with 16 different prompts." in text


def test_samples_that_diffusion_rejected_are_counted_with_the_rule(painted):
    page = painted[3]
    assert "other person cosine to the identity below −0.25 2" in page.text("prompts")
    assert "References were commanded to be frontal" in page.text("identities")
    degraded = next(image["alt"] for image in page.attributes("img") if "prompt “" in image["alt"])
    assert re.search(r"prompt “a face ?[a-z0-9 ]*”$", degraded)


def test_prompts_without_labels_have_no_mean(painted):
    run, storage = painted[:2]
    unlabelled = run.model_copy(update={"label": run.label.model_copy(update={"name": "later"})})
    page = Page(render_page(unlabelled, storage))
    assert re.search(r"a face( [a-z0-9 ]+)? \d+ none", page.text("prompts"))
    assert "factors" not in page.sections


def test_names_in_the_data_never_become_markup(tmp_path):
    run = config(identities=6, run={"url": str(tmp_path / "<script>alert(3)<")})
    storage = Storage(run.run.url)
    store = make_ledger(storage, run, {HOSTILE: 0.5, "a$b$c_{": 1.0})
    make_samples(store, run, occluder=HOSTILE)
    run_label(run, storage)
    make_model(storage, run, {"random": HOSTILE, "bundled-b": HOSTILE, "fixed": HOSTILE})
    page = report(run, storage)
    assert page.text("evaluation").count(HOSTILE) >= 8
    assert "script" not in {tag for tag, _ in page.tags}
    assert all(not key.startswith("on") for _, attributes in page.tags for key in attributes)
    assert HOSTILE.replace("_", " ") in page.text("candidates")
    assert any(HOSTILE in image["alt"] for image in page.attributes("img"))
    assert "<script>alert(3)<" in page.text("")


def test_credentials_in_urls_stay_out(tmp_path):
    run = config(run={"url": str(tmp_path)})
    storage = Storage(run.run.url)
    make_ledger(storage, run)
    secretive = run.model_copy(
        update={"label": run.label.model_copy(update={"calibration": "https://me:hush@host/c.json?sig=quiet"})}
    )
    page = report(secretive, storage)
    assert "https://host/c.json" in page.text("provenance")
    assert not re.search("hush|quiet|me:hush|me@", page.html)


def test_a_large_run_is_read_in_an_even_selection_of_shards(tmp_path, monkeypatch):
    run = config(identities=12, per_shard=2, degraded=3, run={"url": str(tmp_path)})
    storage = Storage(run.run.url)
    make_samples(make_ledger(storage, run), run)
    run_label(run, storage)
    monkeypatch.setattr(data, "SHARD_LIMIT", 2)
    opened: list[tuple[str, int]] = []
    read = ShardStore.read

    def watched(self, commit, columns=None):
        opened.append((commit.kind, commit.number))
        return read(self, commit, columns)

    monkeypatch.setattr(ShardStore, "read", watched)
    storage.write("dataset.json", json.dumps({"rejected": dict(_counts(storage).reasons)}).encode())
    opened.clear()
    page = report(run, storage)
    assert {number for kind, number in opened if kind == "samples"} == {0, 3}
    assert len({number for kind, number in opened if kind == "identities"}) == 2
    assert "an even selection of 2 of 6 shards" in page.text("factors")
    assert "Samples 60 24 references, 36 degraded" in page.text("")


def _counts(storage: Storage) -> data.Counts:
    manifest = load_run(storage)
    store = ShardStore(storage, manifest.fingerprint)
    return data.count(store, store.all_committed(), manifest)


@pytest.mark.parametrize(("size", "count"), [(0, 3), (2, 3), (3, 3), (7, 3), (1000, 64), (5, 1)])
def test_spread_is_even_distinct_and_ordered(size, count):
    chosen = data.spread(range(size), count)
    assert len(chosen) == min(size, count)
    gaps = np.diff(chosen)
    assert (gaps > 0).all()
    assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1


def test_pictures_are_small_and_unreadable_ones_say_so():
    sink = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (400, 300, 3), dtype=np.uint8)).save(sink, "PNG")
    content = base64.b64decode(picture(sink.getvalue(), "").source.partition(",")[2])
    assert Image.open(io.BytesIO(content)).size == (SIDE * 3 // 4, SIDE)
    assert picture(b"no image", "x").source == picture(None, "x").source == ""


def test_an_unreadable_picture_does_not_hide_the_others(tmp_path, monkeypatch):
    run = config(identities=4, run={"url": str(tmp_path)})
    storage = Storage(run.run.url)
    monkeypatch.setattr(
        "tests.jobs.report_page.synthetic_run.face", lambda identity, recipe: b"" if identity == 1 else JPEG
    )
    make_samples(make_ledger(storage, run), run)
    page = report(run, storage)
    assert page.text("identities").endswith("0 unreadable 1 2 3")
    assert len(page.attributes("img")) > 3


_sink = io.BytesIO()
Image.new("RGB", (8, 8), (90, 120, 150)).save(_sink, "JPEG")
JPEG = _sink.getvalue()


def test_the_template_and_its_style_are_part_of_the_package():
    folder = Path(data.__file__).parent
    assert (folder / "report.html.j2").is_file()
    assert (folder / "models.html.j2").is_file()
    assert (folder / "macros.html.j2").is_file()
    assert (folder / "report.css").is_file()
