"""Objects of Kubernetes that give the alerts to Prometheus and the dashboard to Grafana."""

import json

import yaml

from synfiqa.jobs.workflows.deploy.fill import TEMPLATES, indent

FOLDER = TEMPLATES / "observability"
RULE = {
    "apiVersion": "monitoring.coreos.com/v1",
    "kind": "PrometheusRule",
    # What the Prometheus of the operator's chart selects by default.
    "metadata": {"name": "synfiqa", "labels": {"release": "prometheus"}},
}
CONFIG_MAP = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    # What the sidecar of Grafana's chart selects by default.
    "metadata": {"name": "synfiqa-dashboard", "labels": {"grafana_dashboard": "1"}},
}


def monitoring_manifest() -> str:
    """Return a PrometheusRule with the alerts and a ConfigMap with the dashboard, as YAML documents."""
    alerts = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))
    dashboard = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
    rule = yaml.safe_dump({**RULE, "spec": alerts}, sort_keys=False, width=120)
    data = f"data:\n  synfiqa.json: |\n{indent(json.dumps(dashboard, indent=1), 4)}\n"
    return f"{rule}---\n{yaml.safe_dump(CONFIG_MAP, sort_keys=False)}{data}"
