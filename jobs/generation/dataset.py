"""Makes the dataset: the identity half fills the ledger in candidate order, the sample half fills the shards."""

from dataclasses import dataclass

from synfiqa.actors.model_store.resolved_run import ResolvedRun, resolve
from synfiqa.cluster.commits.dataset_summary import SUMMARY, summarise
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.pipeline.ray_session import device_class
from synfiqa.cluster.run.generations import following
from synfiqa.cluster.run.lease import hold
from synfiqa.cluster.run.manifest import RecipeChanged, open_run, planned_shards
from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.generation.identity_half import IdentityHalf
from synfiqa.jobs.generation.readiness import require_fit
from synfiqa.jobs.generation.sample_half import SampleHalf
from synfiqa.jobs.generation.stages import Stages
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.manifest import DatasetSummary


@dataclass(frozen=True)
class MadeDataset:
    """A finished dataset: its summary, the generation of the run that holds it, and the store that has read it."""

    summary: DatasetSummary
    storage: Storage
    store: ShardStore | None = None


def run_generate(
    config: RunConfig,
    storage: Storage,
    *,
    new_generation: bool = False,
    replay: bool = False,
    stages: Stages | None = None,
    resolved: ResolvedRun | None = None,
) -> DatasetSummary:
    """Make what is missing of the dataset and return its summary; see `make_dataset`."""
    return make_dataset(
        config, storage, new_generation=new_generation, replay=replay, stages=stages, resolved=resolved
    ).summary


def make_dataset(
    config: RunConfig,
    storage: Storage,
    *,
    new_generation: bool = False,
    replay: bool = False,
    stages: Stages | None = None,
    resolved: ResolvedRun | None = None,
) -> MadeDataset:
    """Make what is missing of the dataset; return its summary and where it is. Needs Ray to be ready.

    `new_generation` starts the next generation of the run when the recipe is another one; `replay` makes dead rows
    again. `resolved` is the config as the caller has resolved it already. RunHeld when another driver holds the run,
    TooManyDead when too many rows are dead.
    """
    storage.check_shared()
    run = resolved or resolve(config)
    models, cards = require_fit(run).digests, run.cards
    device = device_class(config.placement)
    try:
        manifest = open_run(storage, config, models, device, cards)
    except RecipeChanged:
        if not new_generation:
            raise
        storage = following(storage)
        manifest = open_run(storage, config, models, device, cards)
    store = ShardStore(storage, manifest.fingerprint, config.storage.format)
    stages = stages or Stages()
    with hold(storage, config.resilience.lease_s, job="replay" if replay else "generate") as lease:
        identities = IdentityHalf(run, store, stages, lease)
        if replay:
            # First: too many dead candidates would stop `make` before any is replayed.
            identities.replay()
        identities.make()
        identities.check()
        samples = SampleHalf(run, store, stages, lease, planned_shards(manifest))
        samples.make(replay=replay)
        committed = store.all_committed()
        summary = summarise(committed.units.values(), committed.shards.values())
        storage.write(SUMMARY, summary.model_dump_json(indent=2).encode() + b"\n")
    return MadeDataset(summary, storage, store)
