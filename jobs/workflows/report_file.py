"""Writes one static page about a run, `report/index.html`, with everything embedded and no script."""

from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.storage.preflight import preflight
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.config.run import RunConfig

PAGE = "report/index.html"


def run_report(config: RunConfig, storage: Storage, *, store: ShardStore | None = None) -> None:
    """Write the page for whatever the run has so far; UserError when the folder is not a run.

    A `store` that an earlier job has used does not read its commits again.
    """
    # Matplotlib takes a second to import, which `synfiqa run` need not wait for at its start.
    from synfiqa.jobs.report_page.page import render_page

    page = render_page(config, storage, store)
    preflight(storage)
    storage.write(PAGE, page.encode())
