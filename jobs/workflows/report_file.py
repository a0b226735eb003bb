"""Writes one static page a label pass of a run, `report/index.html` for the labels `default`, with everything embedded
and no script."""

from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.storage.preflight import preflight
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.config.learn import LabelSection
from synfiqa.schemas.config.run import RunConfig


def report_path(label: str) -> str:
    """Return the path of the report on the labels of this name, relative to the run folder.

    Each label pass has a page of its own: one on other labels must not replace it.
    """
    default: str = LabelSection.model_fields["name"].default
    return "report/index.html" if label == default else f"report/label-{label}.html"


def run_report(config: RunConfig, storage: Storage, *, store: ShardStore | None = None) -> str:
    """Write the page on `label.name` for whatever the run has so far, and return its path in the run folder.

    A `store` that an earlier job has used does not read its commits again. UserError when the folder is not a run.
    """
    # Matplotlib takes a second to import, which `synfiqa run` need not wait for at its start.
    from synfiqa.jobs.report_page.page import render_page

    page, path = render_page(config, storage, store), report_path(config.label.name)
    preflight(storage)
    storage.write(path, page.encode())
    return path
