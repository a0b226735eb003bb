"""Makes the dataset: the identity half fills the ledger in candidate order, the sample half fills the shards."""

from dataclasses import dataclass, replace

from synfiqa.actors.model_store.resolved_run import ResolvedRun, resolve
from synfiqa.cluster.commits.dataset_summary import SUMMARY, summarise
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.pipeline.layout.device_choice import choose_device
from synfiqa.cluster.ray_cluster.probe import findings, probe
from synfiqa.cluster.run.generations import following
from synfiqa.cluster.run.growth import grow
from synfiqa.cluster.run.lease import hold
from synfiqa.cluster.run.manifest import MANIFEST, RecipeChanged, open_run, recorded_device
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.progress import announce
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

    A run of fewer identities, and the same recipe otherwise, grows: what it holds stays as it is. `new_generation`
    starts the next generation of the run when the recipe is another one, or wants more; `replay` makes dead rows
    again. `resolved` is the config as the caller has resolved it already. RunHeld when another driver holds the run,
    TooManyDead when too many rows are dead.
    """
    storage.check_shared()
    run = resolved or resolve(config)
    models, cards = require_fit(run).digests, run.cards
    device = choose_device(config.placement, config.resilience, recorded_device(storage))
    try:
        manifest = open_run(storage, config, models, device, cards, may_grow=not new_generation)
    except RecipeChanged:
        if not new_generation:
            raise
        storage = following(storage)
        manifest = open_run(storage, config, models, device, cards)
    run = _on_device(run, device)
    for finding in findings(probe(run.libraries, storage.url, MANIFEST, config.resilience.probe_s)):
        announce(finding)
    store = ShardStore(storage, manifest.fingerprint, config.storage.format)
    stages = stages or Stages()
    with hold(storage, config.resilience.lease_s, job="replay" if replay else "generate") as lease:
        if manifest.identities != config.generate.identities:
            announce(f"the run grows from {manifest.identities} to {config.generate.identities} identities")
        # Also where they are equal: another driver may have grown the run since it was opened.
        manifest = grow(storage, manifest, config.generate.identities, lease)
        identities = IdentityHalf(run, store, stages, lease, manifest.steps)
        if replay:
            # First: too many dead candidates would stop `make` before any is replayed.
            identities.replay()
        identities.make()
        identities.check()
        samples = SampleHalf(run, store, stages, lease, manifest.steps)
        samples.make(replay=replay)
        committed = store.all_committed()
        summary = summarise(committed.units.values(), committed.shards.values())
        storage.write(SUMMARY, summary.model_dump_json(indent=2).encode() + b"\n")
    return MadeDataset(summary, storage, store)


def _on_device(run: ResolvedRun, device: str) -> ResolvedRun:
    """Return the run with the device that its recipe records: what joins or leaves the cluster does not change it."""
    placement = run.config.placement.model_copy(update={"device": device})
    return replace(run, config=run.config.model_copy(update={"placement": placement}))
