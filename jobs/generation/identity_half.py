"""The identity half of a generate job: candidates are decided in their order until enough are accepted."""

import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from itertools import batched
from typing import NamedTuple

import pyarrow as pa

from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.actors.stages.candidate_table import candidate_numbers, candidate_table, dead_candidate
from synfiqa.actors.stages.identity_generator import candidate_seed, candidate_spec
from synfiqa.actors.stages.identity_registry import COLUMNS, SURPLUS, IdentityRegistry
from synfiqa.cluster.commits.ledger_commits import GROUP, DecidedUnit, LedgerCommits, complete_ledger
from synfiqa.cluster.commits.shard_formats import content_digest
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.pipeline.dead_limit import DeadLimit
from synfiqa.cluster.pipeline.stage import Work
from synfiqa.cluster.pipeline.stream import stream
from synfiqa.cluster.run.lease import Lease, while_held
from synfiqa.cluster.telemetry.progress import Phase
from synfiqa.cluster.telemetry.run_metrics import unit_committed
from synfiqa.cluster.telemetry.spans import to_provenance
from synfiqa.jobs.generation.acceptance import MARGIN, Acceptance, FaceSpace
from synfiqa.jobs.generation.bundled_faces import known_face_space
from synfiqa.jobs.generation.stages import Stages
from synfiqa.jobs.generation.steps import at_step, current_step, newly
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import JobFailed
from synfiqa.schemas.manifest import Commit, Dead, DeadRow
from synfiqa.schemas.rows import CANDIDATES


class _InFlight(NamedTuple):
    """A unit that is being committed, and how many identities were accepted before it."""

    number: int
    counts: dict[str, int]
    dead: tuple[DeadRow, ...]
    accepted_before: int
    commit: Future[Commit]


class IdentityHalf:
    """The ledger of decided candidates, restored from its commits and continued.

    `steps` are the numbers of identities of a run that has grown, the last being that of the config.
    """

    def __init__(
        self, run: ResolvedRun, store: ShardStore, stages: Stages, lease: Lease, steps: Sequence[int] = ()
    ) -> None:
        config = run.config
        self._steps = tuple(steps) or (config.generate.identities,)
        self._resolved = run
        self._config = config
        self._store = store
        self._stages = stages.identities
        self._lease = lease
        self.registry = IdentityRegistry(config.generate.identities, config.filter.max_similarity)
        self.units = 0
        self._limit = DeadLimit(config.resilience.max_dead_rate, "candidates")
        self._acceptance = Acceptance(known_face_space(run))
        self._surplus: dict[int, Commit] = {}
        self._restore()

    def make(self) -> None:
        """Decide further candidates until enough are accepted; JobFailed when the candidate limit is reached first."""
        phase = self._phase()
        self._limit.check()
        for step in self._steps:
            self._begin(step, phase)
            while not self.registry.complete:
                config = at_step(self._config, step)
                units = list(next_units(config, self.units, self.registry, self._acceptance.face_space()))
                if not units:
                    break
                self._run(units, phase)
        if not self.registry.complete:
            phase.close()
            raise JobFailed(_too_few(self._config, self.registry))
        phase.close(_reasons(self.registry.reasons))

    def replay(self) -> None:
        """Make the dead candidates again and decide them now: the ledger only grows, so they come after all decided."""
        dead = sorted(self.registry.dead)
        if not dead:
            return
        phase = Phase("replay", len(dead), "candidates")
        self._begin(current_step(self._steps, self.registry.accepted))
        self._lease.report(phase.snapshot())
        groups = enumerate(batched(dead, self._config.generate.candidates_per_unit), start=self.units)
        nothing = CANDIDATES.empty_table()
        units = [Work("identities", number, nothing, plan={"candidates": list(group)}) for number, group in groups]
        self._run(units, phase, replay=True)
        phase.close(f"{len(dead) - len(self.registry.dead)} candidates are no longer dead")

    def check(self) -> None:
        """Raise TooManyDead when the ledger as a whole holds too many dead candidates."""
        self._limit.check_final()

    def _restore(self) -> None:
        committed = complete_ledger(self._store)
        if missing := sorted(set(range(len(committed))) - set(committed)):
            raise JobFailed(
                f"the ledger misses unit {missing[0]} though later units are committed: "
                "restore commits/ from a backup or start a new run"
            )
        commits = [committed[number] for number in range(len(committed))]
        for commit, table in zip(commits, self._store.read_each(commits, COLUMNS), strict=True):
            counts = commit.counts
            self._acceptance.add(self.registry.accepted, counts)
            self.registry.restore(table)
            replayed = counts.get("replayed", 0)
            self._limit.add(counts["planned"] - replayed, counts["dead"] - replayed)
            self._remember(commit)
        self.units = len(committed)

    def _remember(self, commit: Commit) -> None:
        """Remember a unit that has surplus candidates, for the next step."""
        if commit.counts.get(f"rejected:{SURPLUS}"):
            self._surplus[commit.number] = commit

    def _begin(self, step: int, phase: Phase | None = None) -> None:
        """Accept up to the step, surplus candidates of the steps before first: those passed the filter already."""
        self.registry.aim(step)
        for number in sorted(self._surplus):
            if self.registry.complete:
                return
            self._reopen(self._surplus.pop(number), phase)

    def _reopen(self, commit: Commit, phase: Phase | None) -> None:
        """Commit the next revision of a unit, in which its surplus candidates are decided; nothing is made again."""
        self._lease.check()
        accepted = self.registry.accepted
        table = self.registry.reopen(self._store.read(commit))
        counts = ledger_counts(table, replayed=commit.counts["replayed"])
        dead = self._store.dead_rows(commit)
        revision = commit.revision + 1
        made = self._store.commit("identities", commit.number, table, counts, dead=dead, revision=revision)
        if made.content_sha256 != content_digest(table):
            raise JobFailed(_decided_otherwise(commit.number))
        self._remember(made)
        fresh = newly(counts, commit.counts)
        duplicates = fresh.get("rejected:duplicate", 0)
        decided = {"planned": fresh["accepted"] + duplicates, "accepted": fresh["accepted"]}
        self._acceptance.add(accepted, {**decided, "rejected:duplicate": duplicates})
        if phase is not None:
            phase.advance(fresh["accepted"], {n: count for n, count in fresh.items() if n.startswith("rejected:")})
            self._lease.report(phase.snapshot())

    def _phase(self) -> Phase:
        phase = Phase("identities", self._config.generate.identities, "identities")
        rejected = {f"rejected:{reason}": count for reason, count in self.registry.reasons.items()}
        phase.resume(self.registry.accepted, {**rejected, "dead": len(self.registry.dead)})
        self._lease.report(phase.snapshot())
        return phase

    def _run(self, units: list[Work], phase: Phase, *, replay: bool = False) -> None:
        config = self._config
        results = stream(
            self._stages(self._resolved),
            units,
            self._store.storage,
            config.placement,
            config.resilience,
            ordered=True,
            claim=self._lease.claim,
        )
        plans = {unit.number: unit for unit in units}
        flight: deque[_InFlight] = deque()
        with closing(results), LedgerCommits(self._store) as commits:
            made = (
                _buried(config, plans[result.number], result) if isinstance(result, Dead) else result
                for result in while_held(results, self._lease)
            )
            for group in _groups(made, self.registry):
                # One unit after the other, so that none is decided after the last identity is found.
                for unit, table in zip(group, self.registry.decide_units([unit.table for unit in group]), strict=True):
                    flight.append(self._send(commits, unit, table, replay=replay))
                    while flight and (flight[0].commit.done() or len(flight) > 2 * GROUP):
                        self._settle(flight.popleft(), phase, replay=replay)
                    if self.registry.complete and not replay:
                        break
                if self.registry.complete and not replay:
                    break
            while flight:
                self._settle(flight.popleft(), phase, replay=replay)

    def _send(self, commits: LedgerCommits, unit: Work, table: pa.Table, *, replay: bool) -> _InFlight:
        """Begin to commit a unit as the registry has just decided it."""
        counts = ledger_counts(table, replayed=table.num_rows if replay else 0)
        traced = {**unit.notes, **to_provenance(unit.busy, unit.traces)}
        commit = commits.add(DecidedUnit(unit.number, table, counts, traced, unit.dead))
        return _InFlight(unit.number, counts, unit.dead, self.registry.accepted - counts["accepted"], commit)

    def _settle(self, unit: _InFlight, phase: Phase, *, replay: bool) -> None:
        """Wait for the commit of a unit and count it."""
        self._remember(unit.commit.result())
        counts = unit.counts
        unit_committed(self._store.storage.uri(), "identities", counts)
        self.units = unit.number + 1
        fresh = counts["planned"] - counts["replayed"]
        self._limit.add(fresh, counts["dead"] - counts["replayed"], (row.error for row in unit.dead))
        outcome = {name: count for name, count in counts.items() if name.startswith(("rejected:", "dead"))}
        phase.advance(counts["planned"] if replay else counts["accepted"], outcome)
        if not replay:
            self._acceptance.add(unit.accepted_before, counts)
            phase.expect(self._candidates_left(), counts["planned"])
        self._lease.report(phase.snapshot())
        if not replay:
            self._limit.check()

    def _candidates_left(self) -> float:
        """Return how many candidates are expected to be needed still."""
        space = self._acceptance.face_space()
        return space.candidates(self.registry.accepted, self._config.generate.identities)


def _decided_otherwise(unit: int) -> str:
    return (
        f"another driver has decided ledger unit {unit} with other dead candidates: "
        "run the same command again to go on from its decisions"
    )


def _groups(units: Iterable[Work], registry: IdentityRegistry) -> Iterator[list[Work]]:
    """Yield the units in lists of as many candidates as are worth comparing at once, at least one unit in each."""
    group: list[Work] = []
    for unit in units:
        group.append(unit)
        if sum(unit.table.num_rows for unit in group) >= registry.at_once:
            yield group
            group = []
    if group:
        yield group


def ledger_counts(table: pa.Table, replayed: int) -> dict[str, int]:
    """Return the outcomes of a decided unit; `replayed` rows decide candidates that were dead in an earlier unit."""
    status = Counter(table["status"].to_pylist())
    reasons = Counter(reason for reason in table["reason"].to_pylist() if reason)
    return {
        "planned": table.num_rows,
        "accepted": status["accepted"],
        "rejected": status["rejected"],
        "dead": status["dead"],
        "replayed": replayed,
        **{f"rejected:{reason}": count for reason, count in sorted(reasons.items())},
    }


def next_units(config: RunConfig, first: int, registry: IdentityRegistry, space: FaceSpace) -> Iterator[Work]:
    """Plan more units than are expected to be needed in this face space, within the candidate limit.

    Surplus units cost little, because the stream is closed when the registry is complete; too few cost another start
    of all workers.
    """
    size, limit = config.generate.candidates_per_unit, config.generate.candidate_limit
    expected = space.candidates(registry.accepted, config.generate.identities)
    candidate = registry.next_candidate
    nothing = CANDIDATES.empty_table()
    for number in range(first, first + math.ceil(expected / size * MARGIN) + 2):
        count = min(size, limit - candidate)
        if count <= 0:
            return
        yield Work("identities", number, nothing, plan={"first": candidate, "count": count})
        candidate += count


def _buried(config: RunConfig, plan: Work, dead: Dead) -> Work:
    """Return a unit that failed as a whole with all its candidates dead; later candidates are not affected."""
    numbers = candidate_numbers(plan.plan)
    seed = config.run.seed
    rows = [dead_candidate(plan.number, number, candidate_seed(seed, number), dead.error) for number in numbers]
    specs = [candidate_spec(seed, number) for number in numbers]
    died = tuple(dead.row(str(spec["candidate"]), spec) for spec in specs)
    return Work("identities", plan.number, candidate_table(rows), plan=plan.plan, dead=died)


def _too_few(config: RunConfig, registry: IdentityRegistry) -> str:
    return (
        f"only {registry.accepted} of {config.generate.identities} identities were accepted out of "
        f"{config.generate.candidate_limit} candidates ({_reasons(registry.reasons)}): "
        "loosen the filter section or raise generate.max_candidates, in a new folder with --run"
    )


def _reasons(reasons: Counter) -> str:
    return "rejected: " + (", ".join(f"{count} {reason}" for reason, count in reasons.most_common()) or "none")
