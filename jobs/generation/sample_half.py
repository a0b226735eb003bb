"""The sample half of a generate job: makes every shard of the accepted identities and replays dead rows."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing

from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.actors.stages.identity_reader import IdentityReaderStage
from synfiqa.actors.stages.shard_writer import ShardWriterStage, sample_counts
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.pipeline.dead_limit import DeadLimit
from synfiqa.cluster.pipeline.stage import Work
from synfiqa.cluster.pipeline.stream import stream
from synfiqa.cluster.run.lease import Lease, while_held
from synfiqa.cluster.telemetry.progress import Phase
from synfiqa.cluster.telemetry.run_metrics import unit_committed
from synfiqa.jobs.generation.stages import Stages
from synfiqa.jobs.generation.steps import at_step, newly, shards_of
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.manifest import Commit, Dead
from synfiqa.schemas.rows import IDENTITIES, SAMPLES, identity_of, sample_id


class SampleHalf:
    """Commits the shards that are missing, replays dead rows, and fills shards that a growth has given identities.

    `steps` are the numbers of identities of a run that has grown, the last being that of the config.
    """

    def __init__(
        self, run: ResolvedRun, store: ShardStore, stages: Stages, lease: Lease, steps: Sequence[int] = ()
    ) -> None:
        config = run.config
        self._resolved = run
        self._config = config
        self._store = store
        self._stages = stages.samples
        self._lease = lease
        self._steps = tuple(steps) or (config.generate.identities,)
        self._limit = DeadLimit(config.resilience.max_dead_rate, "samples")
        self._counted: dict[int, Mapping[str, int]] = {}

    def make(self, *, replay: bool = False) -> None:
        """Make every missing shard; with `replay` also the identities of committed shards that have dead samples.

        TooManyDead when more samples are dead than the config allows.
        """
        committed = self._store.committed("samples")
        phase = Phase("samples", self._config.generate.identities * self._per_identity, "images")
        replayed = self._dead_identities(committed) if replay else {}
        for number, commit in committed.items():
            counts = commit.counts
            if number in replayed:
                phase.resume(counts["planned"] - len(replayed[number]) * self._per_identity)
            else:
                self._counted[number] = counts
                phase.resume(counts["planned"], outcomes(counts))
                self._limit.add(counts["planned"], counts["dead"])
        self._limit.check()
        # Workers start for a while, and `synfiqa status` would show the half before until the first shard.
        self._lease.report(phase.snapshot())
        ledger = list(self._store.committed("identities").values())
        for step in self._steps[:-1]:
            # The last shard of an earlier step is finished as it was planned then, before the rest is added.
            *_, last = self._planned(step, ledger)
            if todo := list(self._todo([last], committed, {}) if self._is_partial(last) else ()):
                self._run(todo, phase)
                committed = self._store.committed("samples")
        self._run(list(self._todo(self._planned(self._steps[-1], ledger), committed, replayed)), phase)
        phase.close()
        self._limit.check_final()

    def _dead_identities(self, committed: Mapping[int, Commit]) -> dict[int, list[int]]:
        # All samples of an identity are made again, not the dead alone: micro-batches are then the planned ones.
        return {
            number: sorted({identity_of(row.item) for row in self._store.dead_rows(commit) if not row.reason})
            for number, commit in committed.items()
            if commit.counts["dead"]
        }

    def _planned(self, step: int, ledger: Sequence[Commit]) -> Iterator[Work]:
        config = at_step(self._config, step)
        return plan_shards(config, ledger, shards_of(config))

    def _is_partial(self, unit: Work) -> bool:
        return unit.plan["last"] - unit.plan["first"] + 1 < self._config.generate.identities_per_shard

    def _todo(
        self, planned: Iterable[Work], committed: Mapping[int, Commit], replayed: Mapping[int, list[int]]
    ) -> Iterator[Work]:
        """Yield the units that are missing, and those of which identities are missing or made again."""
        for unit in planned:
            commit = committed.get(unit.number)
            if commit is None:
                yield unit
                continue
            made = unit.plan["first"] + commit.counts["planned"] // self._per_identity
            missing = range(made, unit.plan["last"] + 1)
            only = sorted({*replayed.get(unit.number, ()), *missing})
            if only:
                plan = {**unit.plan, "only": only, "revision": commit.revision + 1, "added": list(missing)}
                yield Work(unit.kind, unit.number, unit.table, plan=plan)

    def _run(self, todo: list[Work], phase: Phase) -> None:
        config, store = self._config, self._store
        stages = [
            IdentityReaderStage(store.storage, store.fingerprint),
            *self._stages(self._resolved),
            ShardWriterStage(store.storage, store.fingerprint, store.format),
        ]
        plans = {unit.number: unit for unit in todo}
        results = stream(stages, todo, store.storage, config.placement, config.resilience, claim=self._lease.claim)
        with closing(results):
            for result in while_held(results, self._lease):
                unit = plans[result.number]
                counts = self._bury(unit, result) if isinstance(result, Dead) else result.counts
                errors = (
                    [result.error] if isinstance(result, Dead) else [row.error for row in result.dead if not row.reason]
                )
                # What a growth adds to a shard comes on top of what is counted already.
                fresh = newly(counts, self._counted.get(unit.number, {}))
                self._counted[unit.number] = counts
                unit_committed(store.storage.uri(), "samples", fresh)
                self._limit.add(fresh["planned"], fresh["dead"], errors)
                phase.advance(self._made(unit, counts), outcomes(fresh))
                self._lease.report(phase.snapshot())
                self._limit.check()

    def _made(self, unit: Work, counts: Mapping[str, int]) -> int:
        """Return the number of samples that a unit makes; a later revision makes only those of some identities."""
        return len(unit.plan["only"]) * self._per_identity if "only" in unit.plan else counts["planned"]

    @property
    def _per_identity(self) -> int:
        return self._config.generate.references + self._config.generate.degraded

    def _bury(self, unit: Work, dead: Dead) -> Mapping[str, int]:
        """Commit a shard that failed as a whole with all its rows dead, or those that were to be added to it."""
        table, kept, revision = SAMPLES.empty_table(), [], unit.plan.get("revision", 0)
        identities: Iterable[int] = range(unit.plan["first"], unit.plan["last"] + 1)
        if revision:
            before = self._store.get("samples", unit.number, revision - 1)
            if not unit.plan["added"]:
                # A replay that fails makes no revision: the one before it still lists the dead rows.
                return before.counts
            table, kept, identities = self._store.read(before), self._store.dead_rows(before), unit.plan["added"]
        generate = self._config.generate
        rows = kept + [
            dead.row(sample_id(identity, kind, index), {"identity": identity, "kind": kind, "index": index})
            for identity in identities
            for kind, count in (("reference", generate.references), ("degraded", generate.degraded))
            for index in range(count)
        ]
        counts = sample_counts(table, rows)
        node = {"node": dead.node}
        return self._store.commit("samples", unit.number, table, counts, node, dead=rows, revision=revision).counts


def outcomes(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the counts of samples that are not in the shard: rejected by reason, and dead."""
    return {name: count for name, count in counts.items() if count and name.startswith(("rejected:", "dead"))}


def plan_shards(config: RunConfig, ledger: Iterable[Commit], planned: int) -> Iterator[Work]:
    """Plan every shard: which identities it holds and which ledger units, in which revisions, they come from."""
    spans: deque[tuple[Commit, int, int]] = deque()
    first = 0
    for commit in ledger:
        accepted = commit.counts.get("accepted", 0)
        spans.append((commit, first, first + accepted - 1))
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
        plan = {"first": low, "last": high, "units": [unit.number for unit in units]}
        if any(unit.revision for unit in units):
            plan["revisions"] = [unit.revision for unit in units]
        yield Work("samples", shard, nothing, plan=plan)
