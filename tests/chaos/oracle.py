"""The expected result of a scenario: the same stages in a plain loop over the same plan, without Ray."""

import functools
import io
from contextlib import contextmanager, redirect_stderr

from synfiqa.actors.model_store.resolved_run import resolve
from synfiqa.cluster.commits.dataset_summary import summarise
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.manifest import open_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.generation import identity_half, sample_half
from tests.chaos.driver import MODELS, UNIT, Order, config_of
from tests.chaos.stub_stages import Trouble, stub_stages


class _NoLease:
    claim = None

    def check(self):
        return

    def report(self, snapshot):
        return


def plain_loop(stages, units, storage, placement, resilience, *, ordered=False, claim=None):
    """Replace `synfiqa.cluster.pipeline.stream`: no Ray, no workers, one unit after the other."""
    for unit in units:
        work = unit
        for stage in stages:
            work = stage.process(work)
        yield work


@contextmanager
def without_ray():
    """Run both halves of a generate job in a plain loop inside the block."""
    before = identity_half.stream, sample_half.stream
    identity_half.stream = sample_half.stream = plain_loop
    try:
        yield
    finally:
        identity_half.stream, sample_half.stream = before


@functools.cache
def expected(poison: float, folder: str, identities: int, per_unit: int = UNIT):
    """Return the summary of an undisturbed run with these poison rows and identities, all wanted at once."""
    generate = {"identities": identities, "candidates_per_unit": per_unit}
    order = Order(f"{folder}/oracle-{poison:g}-{identities}-{per_unit}", {"generate": generate})
    config = config_of(order)
    storage = Storage(config.run.url)
    manifest = open_run(storage, config, MODELS)
    store = ShardStore(storage, manifest.fingerprint)
    stages = stub_stages(Trouble(poison=poison))
    # Progress lines of the quiet run would stand between those of the scenarios.
    with without_ray(), redirect_stderr(io.StringIO()):
        identity_half.IdentityHalf(resolve(config), store, stages, _NoLease()).make()
        sample_half.SampleHalf(resolve(config), store, stages, _NoLease(), manifest.steps).make()
    return summarise(store.committed("identities").values(), store.committed("samples").values())
