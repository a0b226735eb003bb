"""Job: make the dataset. The identity half fills the ledger in candidate order; the sample half fills the shards."""

import json
import math
import sys
from collections import Counter, deque
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

from actors.annotator import AnnotatorStage
from actors.conditional_generator import ConditionalGeneratorStage
from actors.identity_filter import IdentityFilterStage
from actors.identity_generator import IdentityGeneratorStage
from actors.identity_reader import IdentityReaderStage
from actors.identity_registry import IdentityRegistry
from actors.model_zoo import model_digests
from actors.shard_writer import ShardWriterStage
from cluster.errors import JobFailed
from cluster.pipeline import stream
from cluster.progress import Phase
from cluster.run_folder import open_run, planned_shards
from cluster.shard_store import ShardStore
from cluster.stage import Work
from cluster.storage import Storage
from schemas.config import RunConfig
from schemas.manifest import Dead
from schemas.rows import CANDIDATES, IDENTITIES

FIRST_GUESS = 0.4
"""Share of candidates expected to be accepted before any is seen."""
MARGIN = 1.5


@dataclass(frozen=True)
class Dataset:
    """What a finished generate job made: planned = accepted + rejected candidates, and the samples of the accepted."""

    planned: int
    accepted: int
    rejected: dict[str, int]
    samples: int
    shards: int
    digest: str


def run_generate(config: RunConfig, storage: Storage) -> Dataset:
    """Make what is missing of the dataset and return its summary. Needs Ray to be ready."""
    storage.check_shared()
    models = model_digests(config)
    manifest = open_run(storage, config, models)
    store = ShardStore(storage, manifest.fingerprint, config.storage.format)
    registry = make_identities(config, storage, store)
    shards = planned_shards(manifest)
    samples = make_samples(config, storage, store, shards)
    for kind in ("identities", "samples"):
        store.sweep(kind)
    units = store.committed("identities")
    dataset = Dataset(
        planned=sum(commit.file.rows for commit in units.values()),
        accepted=registry.accepted,
        rejected=dict(sorted(registry.reasons.items())),
        samples=samples,
        shards=shards,
        digest=store.dataset_digest(),
    )
    storage.write("dataset.json", json.dumps(dataset.__dict__, indent=2).encode())
    return dataset


def make_identities(config: RunConfig, storage: Storage, store: ShardStore) -> IdentityRegistry:
    """Fill the ledger, unit by unit in candidate order, until enough identities are accepted."""
    registry = IdentityRegistry(config.generate.identities, config.filter.max_similarity)
    committed = store.committed("identities")
    for number in range(len(committed)):
        if number not in committed:
            raise JobFailed(
                f"the ledger misses unit {number} though later units are committed: "
                "restore commits/ from a backup or start a new run"
            )
        registry.restore(store.read(committed[number], columns=["status", "reason", "embedding"]))
    phase = Phase("identities", config.generate.identities, "identities")
    phase.resume(registry.accepted, {"rejected": registry.reasons.total()})
    number = len(committed)
    while not registry.complete:
        units = list(_next_units(config, number, registry))
        if not units:
            phase.close()
            raise JobFailed(_too_few(config, registry))
        for unit in _in_order(store, stream(_identity_stages(config), units, storage, config.placement, ordered=True)):
            before = registry.accepted, registry.reasons.total()
            table = registry.decide(unit.table)
            accepted, rejected = registry.accepted - before[0], registry.reasons.total() - before[1]
            store.commit("identities", unit.number, table, counts={"accepted": accepted, "rejected": rejected})
            phase.advance(accepted, {"rejected": rejected})
            store.clear_dead("identities", unit.number)
            number = unit.number + 1
            if registry.complete:
                break
    phase.close(_reasons(registry.reasons))
    return registry


def make_samples(config: RunConfig, storage: Storage, store: ShardStore, planned: int) -> int:
    """Commit every shard that is missing and return the number of samples of the run."""
    stages = [
        IdentityReaderStage(storage.url, store.fingerprint),
        ConditionalGeneratorStage(config),
        AnnotatorStage(config),
        ShardWriterStage(storage.url, store.fingerprint, config.storage.format),
    ]
    committed = store.committed("samples")
    for number in store.dead("samples").keys() & committed.keys():
        store.clear_dead("samples", number)
    todo = [work for work in _shards(config, store, planned) if work.number not in committed]
    per_identity = config.generate.references + config.generate.degraded
    phase = Phase("samples", config.generate.identities * per_identity, "images")
    phase.resume(sum(commit.file.rows for commit in committed.values()))
    dead: list[Dead] = []
    with closing(stream(stages, todo, storage, config.placement)) as results:
        for result in results:
            if isinstance(result, Dead):
                store.record_dead(result)
                dead.append(result)
                phase.advance(0, {"dead shards": 1})
            else:
                store.clear_dead("samples", result.number)
                images = sum(result.counts[kind] for kind in ("reference", "degraded"))
                phase.advance(images)
    phase.close()
    if dead:
        raise JobFailed(
            f"{len(dead)} of {planned} shards could not be made, the first (shard {dead[0].number}, "
            f"stage {dead[0].stage}) because of {dead[0].error}: see dead/, then run the same command again"
        )
    return sum(commit.file.rows for commit in store.committed("samples").values())


def _identity_stages(config: RunConfig) -> list:
    return [IdentityGeneratorStage(config), IdentityFilterStage(config)]


def _next_units(config: RunConfig, first: int, registry: IdentityRegistry) -> Iterator[Work]:
    """Plan more units than the acceptance rate so far makes likely to suffice, within the candidate limit.

    Too many cost little, the stream is closed when the registry is complete; too few cost another start of all workers.
    """
    size, limit = config.generate.candidates_per_unit, config.generate.candidate_limit
    seen = registry.accepted + registry.reasons.total()
    rate = max(registry.accepted / seen, 0.02) if seen else FIRST_GUESS
    missing = config.generate.identities - registry.accepted
    last = min(first + math.ceil(missing / rate / size * MARGIN) + 2, math.ceil(limit / size))
    for number in range(first, last):
        count = min(size, limit - number * size)
        yield Work("identities", number, CANDIDATES.empty_table(), plan={"first": number * size, "count": count})


def _in_order(store: ShardStore, results: Generator[Work | Dead]) -> Iterator[Work]:
    """Yield units in order; a dead unit ends the job, since no later candidate may be decided before it."""
    with closing(results) as stream_of_results:
        for result in stream_of_results:
            if isinstance(result, Dead):
                store.record_dead(result)
                raise JobFailed(
                    f"candidate unit {result.number} failed in {result.stage} after {result.attempts} attempts "
                    f"({result.error}): correct the cause and run the same command again"
                )
            yield result


def _shards(config: RunConfig, store: ShardStore, planned: int) -> Iterator[Work]:
    """Plan every shard: which identities it holds and which ledger units they come from."""
    spans: deque[tuple[int, int, int]] = deque()
    first = 0
    for number, commit in store.committed("identities").items():
        accepted = commit.counts.get("accepted", 0)
        spans.append((number, first, first + accepted - 1))
        first += accepted
    size = config.generate.identities_per_shard
    for shard in range(planned):
        low, high = shard * size, min((shard + 1) * size, config.generate.identities) - 1
        while spans and spans[0][2] < low:
            spans.popleft()
        units = []
        for unit, start, end in spans:
            if start > high:
                break
            if end >= start:
                units.append(unit)
        yield Work("samples", shard, IDENTITIES.empty_table(), plan={"first": low, "last": high, "units": units})


def _too_few(config: RunConfig, registry: IdentityRegistry) -> str:
    return (
        f"only {registry.accepted} of {config.generate.identities} identities were accepted out of "
        f"{config.generate.candidate_limit} candidates ({_reasons(registry.reasons)}): "
        "loosen the filter section or raise generate.max_candidates, in a new folder with --run"
    )


def _reasons(reasons: Counter) -> str:
    return "rejected: " + (", ".join(f"{count} {reason}" for reason, count in reasons.most_common()) or "none")


if __name__ == "__main__":
    from jobs.cli import main

    main(["generate", *sys.argv[1:]])
