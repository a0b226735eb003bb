"""The sample half of a generate job: makes every shard of the accepted identities and replays dead rows."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing

from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.actors.stages.identity_reader import IdentityReaderStage
from synfiqa.actors.stages.shard_writer import ShardWriterStage, sample_counts
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.pipeline.dead_limit import DeadLimit
from synfiqa.cluster.pipeline.stage import Work
from synfiqa.cluster.pipeline.stream import stream
from synfiqa.cluster.run.lease import Lease
from synfiqa.cluster.telemetry.progress import Phase
from synfiqa.jobs.generation.stages import Stages
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.manifest import Commit, Dead
from synfiqa.schemas.rows import IDENTITIES, SAMPLES, identity_of, sample_id


class SampleHalf:
    """Commits the shards that are missing, and replays dead rows, in one stream."""

    def __init__(self, run: ResolvedRun, store: ShardStore, stages: Stages, lease: Lease, shards: int) -> None:
        config = run.config
        self._resolved = run
        self._config = config
        self._store = store
        self._stages = stages.samples
        self._lease = lease
        self._shards = shards
        self._limit = DeadLimit(config.resilience.max_dead_rate, "samples")

    def make(self, *, replay: bool = False) -> None:
        """Make every missing shard; with `replay` also the identities of committed shards that have dead samples.

        TooManyDead when more samples are dead than the config allows.
        """
        committed = self._store.committed("samples")
        planned = list(plan_shards(self._config, self._store.committed("identities").values(), self._shards))
        todo = [unit for unit in planned if unit.number not in committed]
        phase = Phase("samples", self._config.generate.identities * self._per_identity, "images")
        for number, commit in committed.items():
            counts = commit.counts
            if replay and counts["dead"]:
                todo.append(self._replay(planned[number], commit))
                phase.resume(counts["planned"] - self._remade(todo[-1], counts))
            else:
                phase.resume(counts["planned"], outcomes(counts))
                self._limit.add(counts["planned"], counts["dead"])
        self._limit.check()
        # Workers start for a while, and `synfiqa status` would show the half before until the first shard.
        self._lease.report(phase.snapshot())
        self._run(todo, phase)
        phase.close()
        self._limit.check_final()

    def _run(self, todo: list[Work], phase: Phase) -> None:
        config, store = self._config, self._store
        stages = [
            IdentityReaderStage(store.storage, store.fingerprint),
            *self._stages(self._resolved),
            ShardWriterStage(store.storage, store.fingerprint, store.format),
        ]
        plans = {unit.number: unit for unit in todo}
        with closing(stream(stages, todo, store.storage, config.placement, config.resilience)) as results:
            for result in results:
                self._lease.check()
                counts = self._bury(plans[result.number], result) if isinstance(result, Dead) else result.counts
                errors = (
                    [result.error] if isinstance(result, Dead) else [row.error for row in result.dead if not row.reason]
                )
                self._limit.add(counts["planned"], counts["dead"], errors)
                fresh = self._remade(plans[result.number], counts)
                phase.advance(fresh, outcomes(counts))
                self._lease.report(phase.snapshot())
                self._limit.check()

    def _remade(self, unit: Work, counts: dict[str, int]) -> int:
        """Return the number of samples that a unit makes; a replay makes only those of the replayed identities."""
        return len(unit.plan["only"]) * self._per_identity if "only" in unit.plan else counts["planned"]

    @property
    def _per_identity(self) -> int:
        return self._config.generate.references + self._config.generate.degraded

    def _replay(self, unit: Work, commit: Commit) -> Work:
        # All samples of an identity are made again, not the dead alone: micro-batches are then the planned ones.
        identities = sorted({identity_of(row.item) for row in self._store.dead_rows(commit) if not row.reason})
        plan = {**unit.plan, "only": identities, "revision": commit.revision + 1}
        return Work(unit.kind, unit.number, unit.table, plan=plan)

    def _bury(self, unit: Work, dead: Dead) -> dict[str, int]:
        """Commit a shard that failed as a whole with all its rows dead."""
        if unit.plan.get("revision"):
            # A replay that fails makes no revision: the one before it still lists the dead rows.
            return self._store.get("samples", unit.number, unit.plan["revision"] - 1).counts
        generate = self._config.generate
        rows = [
            dead.row(sample_id(identity, kind, index), {"identity": identity, "kind": kind, "index": index})
            for identity in range(unit.plan["first"], unit.plan["last"] + 1)
            for kind, count in (("reference", generate.references), ("degraded", generate.degraded))
            for index in range(count)
        ]
        table = SAMPLES.empty_table()
        counts = sample_counts(table, rows)
        return self._store.commit("samples", unit.number, table, counts, {"node": dead.node}, dead=rows).counts


def outcomes(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the counts of samples that are not in the shard: rejected by reason, and dead."""
    return {name: count for name, count in counts.items() if count and name.startswith(("rejected:", "dead"))}


def plan_shards(config: RunConfig, ledger: Iterable[Commit], planned: int) -> Iterator[Work]:
    """Plan every shard: which identities it holds and which ledger units they come from."""
    spans: deque[tuple[int, int, int]] = deque()
    first = 0
    for commit in ledger:
        accepted = commit.counts.get("accepted", 0)
        spans.append((commit.number, first, first + accepted - 1))
        first += accepted
    size = config.generate.identities_per_shard
    nothing = IDENTITIES.empty_table()
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
        yield Work("samples", shard, nothing, plan={"first": low, "last": high, "units": units})
