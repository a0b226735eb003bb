"""The Ray Data callable around stages: one actor process that runs one or several stages over whole units."""

import os
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pyarrow as pa

from synfiqa.cluster.pipeline.attempts import NO_MARKS, Attempts
from synfiqa.cluster.pipeline.layout.set_aside import SetUpFailed, report_failure
from synfiqa.cluster.pipeline.node_setup import once_per_node
from synfiqa.cluster.pipeline.salvage import describe
from synfiqa.cluster.pipeline.stage import Stage, Work
from synfiqa.cluster.pipeline.wire import WIRE, pack, unpack
from synfiqa.cluster.ray_cluster.taken_over import end_when_taken_over
from synfiqa.cluster.run.events import keep_event, log_end, own_log
from synfiqa.cluster.run.fingerprint import libraries_digest
from synfiqa.cluster.run.lease import Claim
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.gpu_sampler import trace_gpu
from synfiqa.cluster.telemetry.log_lines import bind, bound, emit, use
from synfiqa.cluster.telemetry.machine import machine_class
from synfiqa.cluster.telemetry.run_metrics import repeated, stage_worked
from synfiqa.cluster.telemetry.spans import StageTrace
from synfiqa.schemas.errors import JobFailed, RunHeld, StorageRefused, StorageUnavailable, UserError
from synfiqa.schemas.manifest import Dead

_TRIES = 2
"""A stage that fails outside its rows is run once more before its unit is dead."""


class StageWorker:
    """Runs `stages` in order on each unit; an error makes a row or a unit dead, never the job.

    Only an error that will not pass ends the job: a store that refuses, or damaged data. With a `claim` the
    process ends when it is idle and another driver has taken the run over.
    """

    def __init__(
        self,
        stages: list[Stage],
        storage: Storage,
        session: str,
        max_attempts: int,
        claim: Claim | None = None,
        log: str = "text",
    ) -> None:
        import ray

        use(log)
        bind(run=storage.uri())

        has_gpu = bool(ray.get_gpu_ids())
        if not has_gpu:
            # Ray leaves all GPUs visible to a process without a GPU share.
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        self._stages = stages
        self._storage = storage
        self._run_url = storage.uri()
        self._max_attempts = max_attempts
        self._session = session
        self._open: list[Stage] = []
        self._attempts = Attempts(storage, session)
        self._shares_folder = False
        self._name = f"{socket.gethostname()}/{os.getpid()}@{time.time():.0f}"
        if error := self._set_up():
            self.close()
            report_failure(session, error)
            keep_event(storage, "set-up", str(error), stage=stages[0].name, log=log_end(own_log()))
            raise SetUpFailed(str(error))
        # After the stages: PyTorch has chosen its GPU by then.
        self._gpu = trace_gpu() if has_gpu else None
        self._machine = f"{machine_class(has_gpu)}, libraries {libraries_digest()}"
        self._working = False
        if claim is not None:
            end_when_taken_over(claim, lambda: not self._working)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Map one-row wire tables to one-row wire tables."""
        self._working = True
        try:
            rows = [self._advance(row) for row in batch.to_pylist()]
        finally:
            self._working = False
        return pa.Table.from_pylist(rows, schema=WIRE)

    def close(self) -> None:
        """Close every stage that was set up, last first; an error is printed, for the work is committed already."""
        while self._open:
            stage = self._open.pop()
            try:
                stage.close()
            except Exception as error:
                emit(f"{stage.name} on {socket.gethostname()} did not close ({describe(error)})", "warning")

    def __del__(self) -> None:
        """Close the stages: Ray Data drops the worker object when its actor ends normally, and only then."""
        # Absent if the constructor failed.
        if getattr(self, "_open", None):
            self.close()

    def _set_up(self) -> UserError | JobFailed | None:
        """Prepare the node and load the models; return the error that stays."""
        _single_thread()
        for stage in self._stages:
            prepare = partial(once_per_node, self._session, stage.name, stage.setup_on_node)
            if error := _tried(prepare, f"prepare this node for {stage.name}"):
                return error
        for stage in self._stages:
            if error := _tried(stage.setup, f"set up {stage.name}"):
                return error
            self._open.append(stage)
        _single_thread()
        return None

    def _advance(self, row: dict) -> dict:
        if row["fatal"] or row["dead"]:
            return row
        work = unpack(row)
        assert isinstance(work, Work)
        key = f"{work.kind}-{work.number:06d}-{self._stages[0].name}"
        try:
            self._check_folder()
            deaths = self._attempts.deaths(key)
            if deaths:
                self._keep_deaths(key)
            if deaths and (unexplained := self._attempts.unexplained(key)) >= self._max_attempts:
                return pack(work, self._dead(work, self._stages[0], "the worker process died", unexplained))
            marks = self._attempts.calls(key) if deaths else NO_MARKS
            with self._attempts.attempt(key), bound(unit=f"{work.kind}-{work.number:06d}"):
                return self._run(work, marks)
        except (UserError, JobFailed) as error:
            # A store that fails would have to take the event, and a run that was taken over goes on.
            if not isinstance(error, RunHeld | StorageRefused | StorageUnavailable):
                keep_event(self._storage, "job", str(error), unit=key, trace=traceback.format_exc())
            return pack(work, fatal=error)

    def _run(self, work: Work, marks: object) -> dict:
        for stage in self._stages:
            bind(stage=stage.name)
            stage.marks = marks  # type: ignore[assignment]
            for attempt in range(1, _TRIES + 1):
                began, start = time.time(), time.perf_counter()
                if self._gpu is not None:
                    self._gpu.begin()
                try:
                    done = stage.process(work)
                except (UserError, JobFailed):
                    raise
                except Exception as error:
                    if attempt == _TRIES:
                        return self._buried(work, stage, error)
                    repeated("stage")
                else:
                    seconds = work.busy.get(stage.name, 0.0) + time.perf_counter() - start
                    trace = self._trace(began)
                    stage_worked(self._run_url, stage.name, time.perf_counter() - start, trace.utilisation)
                    self._keep_rows(stage, work, done)
                    traces = {**work.traces, stage.name: trace}
                    work = replace(done, busy={**work.busy, stage.name: round(seconds, 4)}, traces=traces)
                    break
        return pack(work)

    def _buried(self, work: Work, stage: Stage, error: Exception) -> dict:
        """Return a unit that is dead, and keep the failure."""
        trace = traceback.format_exc()
        unit = f"{work.kind}-{work.number:06d}"
        keep_event(
            self._storage, "unit", describe(error), unit=unit, stage=stage.name, trace=trace, log=log_end(own_log())
        )
        return pack(work, self._dead(work, stage, describe(error), _TRIES, trace))

    def _keep_rows(self, stage: Stage, before: Work, after: Work) -> None:
        """Keep one event of all rows of a unit that died in a stage; `dead/` lists each."""
        rows = [row for row in after.dead[len(before.dead) :] if not row.reason]
        if rows:
            unit = f"{before.kind}-{before.number:06d}"
            message = f"{len(rows)} dead rows, the first {rows[0].item}: {rows[0].error}"
            keep_event(self._storage, "rows", message, unit=unit, stage=stage.name, trace=rows[0].traceback)

    def _keep_deaths(self, key: str) -> None:
        """Keep what processes that died on a unit have logged, if that was on this host."""
        repeated("process")
        for lost in self._attempts.lost(key):
            here = lost.host == socket.gethostname()
            log = log_end(lost.log) if here else f"(in {lost.log} on {lost.host})"
            message = f"process {lost.pid} on {lost.host} died while it worked on {key}"
            keep_event(self._storage, "process", message, unit=key, log=log, key=lost.mark)

    def _trace(self, began: float) -> StageTrace:
        if self._gpu is None:
            return StageTrace(round(began, 3), self._name, machine=self._machine)
        use = self._gpu.end()
        return StageTrace(round(began, 3), self._name, use.gpu, use.utilisation, use.memory, self._machine)

    def _check_folder(self) -> None:
        if self._shares_folder:
            return
        if not self._attempts.is_open():
            raise UserError(
                f"workers on {socket.gethostname()} do not see what the driver writes to {self._storage.uri()}: "
                "use an object store, or a folder that is mounted on every node"
            )
        self._shares_folder = True

    def _dead(self, work: Work, stage: Stage, error: str, attempts: int, trace: str = "") -> Dead:
        kind = "identities" if work.kind == "identities" else "samples"
        return Dead(
            kind=kind,
            number=work.number,
            stage=stage.name,
            error=error,
            traceback=trace,
            attempts=attempts,
            node=socket.gethostname(),
        )


def worker_class(pool: str) -> type[StageWorker]:
    """Return StageWorker under the name of a pool, by which Ray's tables and dashboards show its processes."""
    return type(pool, (StageWorker,), {"__doc__": StageWorker.__doc__})


def _tried(call: Callable[[], object], what: str) -> UserError | JobFailed | None:
    """Call once more after an error; return the error that stays, naming the host."""
    for attempt in range(1, _TRIES + 1):
        try:
            call()
            return None
        except (UserError, JobFailed) as error:
            return error
        except Exception as error:
            if attempt == _TRIES:
                return JobFailed(
                    f"the workers cannot {what} on {socket.gethostname()} ({describe(error)}): "
                    "correct the cause and run the same command again"
                )
    return None


def _single_thread() -> None:
    """One thread per worker: parallelism comes from workers, and sums keep one order (promise 1)."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    # Stages without torch do not pay the seconds of its import.
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
