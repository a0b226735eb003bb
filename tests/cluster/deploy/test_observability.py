"""Dashboard, alerts and runbook: they name what exists, they parse, and each alert fires when it should."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from synfiqa.cluster.telemetry.metric_table import LABELS, RAY_LABELS
from synfiqa.jobs.cli import main
from tests.cluster.deploy.promql import SERIES, names
from tests.documented import metrics_table

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "cluster" / "deploy" / "observability"
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ALERTS = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
FUNCTIONS = {
    *("avg", "changes", "count", "histogram_quantile", "increase", "last_over_time", "max", "max_over_time", "rate"),
    *("sum", "time", "vector"),
}
VALUES = re.compile(r'(\w+)\s*(?:=~|=)\s*"([^"$]*)"')

QUERIES = {f"alert {rule['alert']}": rule["expr"] for rule in ALERTS} | {
    f"panel {panel['title']} {target['refId']}": target["expr"] for panel in PANELS for target in panel["targets"]
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_query_names_only_metrics_labels_and_values_of_the_table(query):
    found = names(query)
    assert found.metrics, "it selects nothing"
    assert found.metrics.keys() <= SERIES.keys()
    for metric, labels in found.metrics.items():
        assert labels <= SERIES[metric] | set(RAY_LABELS)
    assert found.grouping <= set.union(*(SERIES[metric] for metric in found.metrics)) | set(RAY_LABELS)
    assert found.functions <= FUNCTIONS
    for label, values in VALUES.findall(query):
        assert set(values.split("|")) <= set(LABELS[label][1]), "no series has this value"


@pytest.mark.parametrize("query", ["sum(rate(a[5m])", "a{b=1.5.}", "sum by (x (a)", "a ` b", 'a{b="c}'])
def test_what_is_no_query_is_refused(query):
    with pytest.raises(ValueError, match=r"clos|no PromQL"):
        names(query)


def test_names_are_found_where_they_stand():
    found = names('sum by (run) (rate(a_total{x="y", z!="{w}"}[5m] offset 1h)) / on (run) group_left () b unless c')
    assert found.metrics == {"a_total": {"x", "z"}, "b": frozenset(), "c": frozenset()}
    assert (found.grouping, found.functions) == ({"run"}, {"sum", "rate"})


def test_every_metric_is_on_the_dashboard():
    shown = {metric for panel in PANELS for target in panel["targets"] for metric in names(target["expr"]).metrics}
    own = {name for name in SERIES if name.startswith("ray_synfiqa_")}
    assert own - shown == {"ray_synfiqa_lease_ttl_seconds", "ray_synfiqa_store_request_duration_seconds_count"}


def test_the_dashboard_is_complete():
    identifiers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(identifiers)) == len(identifiers)
    assert {variable["name"] for variable in DASHBOARD["templating"]["list"]} == {"datasource", "run"}
    for panel in PANELS:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["description"].endswith(".")
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        legends = set(re.findall(r"{{(\w+)}}", " ".join(target["legendFormat"] for target in panel["targets"])))
        assert legends <= {label for target in panel["targets"] for label in names(target["expr"]).grouping}


def test_every_alert_has_its_paragraph_in_the_runbook_and_every_paragraph_an_alert():
    paragraphs = re.findall(r"^## (\w+)\n\n(.*?)(?=^## |\Z)", RUNBOOK, re.DOTALL | re.MULTILINE)
    assert [name for name, _ in paragraphs] == [rule["alert"] for rule in ALERTS]
    for _, text in paragraphs:
        assert re.findall(r"^- \*\*(\w+)\*\*: \S", text, re.MULTILINE) == ["Meaning", "Look", "Do"]
    titles = {panel["title"].partition(",")[0] for panel in PANELS}
    assert {
        title
        for title in re.findall(r"\*([A-Z][a-zA-Z %,]+)\*(?!\*)", RUNBOOK)
        if title not in ("Meaning", "Look", "Do")
    } <= titles


def test_alerts_have_a_severity_and_a_summary_with_labels_that_they_keep():
    for rule in ALERTS:
        assert rule["labels"]["severity"] in ("warning", "critical")
        kept = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        assert kept <= set.union(*(SERIES[metric] | set(RAY_LABELS) for metric in names(rule["expr"]).metrics))


def promtool(*arguments, folder):
    """Run promtool and return its output; it comes with Prometheus (Debian: `prometheus`)."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed")
    done = subprocess.run([found, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_takes_alerts_config_and_every_query(tmp_path):
    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", "alerts.yaml", folder=FOLDER)
    promtool("check", "config", "prometheus.yaml", folder=FOLDER)
    queries = [query for name, query in QUERIES.items() if name.startswith("panel")]
    replaced = [re.sub(r"\$__\w+", "5m", query).replace("$run", ".+") for query in queries]
    rules = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(replaced)]
    (tmp_path / "panels.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", "panels.yaml", folder=tmp_path)


def test_each_alert_fires_in_trouble_and_is_silent_in_health(tmp_path):
    cases = Path(__file__).with_name("alert_cases.yaml")
    tried = yaml.safe_load(cases.read_text(encoding="utf-8"))["tests"]
    fired = re.findall(r'alertname="(\w+)"', str(tried[-1]["promql_expr_test"]))
    assert sorted(fired) == sorted(rule["alert"] for rule in ALERTS)
    assert {case["alertname"] for case in tried[0]["alert_rule_test"]} == set(fired)
    for file in (FOLDER / "alerts.yaml", cases):
        shutil.copy(file, tmp_path)
    promtool("test", "rules", "alert_cases.yaml", folder=tmp_path)


def test_objects_for_kubernetes_hold_the_same_alerts_and_dashboard(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["deploy", "monitoring"])
    assert not stop.value.code
    rule, config = yaml.safe_load_all(capsys.readouterr().out)
    assert (rule["apiVersion"], rule["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert [one for group in rule["spec"]["groups"] for one in group["rules"]] == ALERTS
    kubernetes_validate.validate(config, "1.34", strict=True)
    assert json.loads(config["data"]["synfiqa.json"]) == DASHBOARD
    assert len(config["data"]["synfiqa.json"]) < 2**20, "a ConfigMap holds a MiB"


def test_the_page_of_metrics_is_the_table():
    page = metrics_table.PAGE.read_text(encoding="utf-8")
    assert metrics_table.written(page) == page
