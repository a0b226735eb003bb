"""The lease holds the phase that runs, also before its first unit is made."""

from synfiqa.actors.model_store.resolved_run import resolve
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.manifest import open_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.generation import identity_half, sample_half
from tests.chaos.driver import MODELS, Order, config_of
from tests.chaos.oracle import plain_loop
from tests.chaos.stub_stages import Trouble, stub_stages


class Recorder:
    """A lease that notes what is reported."""

    claim = None

    def __init__(self):
        self.phases = []

    def check(self):
        pass

    def report(self, progress):
        self.phases.append((progress["phase"], progress["done"]))


def test_each_half_is_reported_before_its_workers_have_made_anything(tmp_path, monkeypatch):
    """Between the halves, `status` showed "identities 16 of 16, ETA 0:00" until the first shard, minutes later."""
    lease, seen = Recorder(), []

    def stream(*arguments, **options):
        seen.append(lease.phases[-1])
        return plain_loop(*arguments, **options)

    monkeypatch.setattr(identity_half, "stream", stream)
    monkeypatch.setattr(sample_half, "stream", stream)
    config = config_of(Order(str(tmp_path / "run")))
    storage = Storage(config.run.url)
    manifest = open_run(storage, config, MODELS)
    store = ShardStore(storage, manifest.fingerprint)
    stages, run = stub_stages(Trouble()), resolve(config)
    identity_half.IdentityHalf(run, store, stages, lease).make()
    sample_half.SampleHalf(run, store, stages, lease, manifest.steps).make()
    assert seen[0] == ("identities", 0)
    assert seen[-1] == ("samples", 0)
