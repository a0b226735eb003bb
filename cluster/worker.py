"""The Ray Data callable around stages: one actor process that runs one or several stages over whole units."""

import os
import socket
import time
import traceback
from dataclasses import replace

import pyarrow as pa

from cluster.attempts import Attempts
from cluster.packing import WIRE, pack, unpack
from cluster.stage import Stage, Work
from cluster.storage import Storage
from schemas.manifest import Dead


class StageWorker:
    """Runs `stages` in order on each unit; an error makes that unit a dead record, never a dead job."""

    def __init__(self, stages: list[Stage], run_url: str, session: str, max_attempts: int) -> None:
        import ray

        if not ray.get_gpu_ids():
            # Ray leaves all GPUs visible to a process that asked for none; a stage uses what it was given.
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        # One thread per worker: parallelism comes from workers, and sums keep one order (promise 1).
        import torch

        torch.set_num_threads(1)
        self._stages = stages
        self._max_attempts = max_attempts
        self._attempts = Attempts(Storage(run_url), session)
        for stage in stages:
            stage.setup()

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Map one-row wire tables to one-row wire tables."""
        rows = [self._advance(row) for row in batch.to_pylist()]
        return pa.Table.from_pylist(rows, schema=WIRE)

    def _advance(self, row: dict) -> dict:
        work = unpack(row)
        if isinstance(work, Dead):
            return row
        first = self._stages[0]
        key = f"{work.kind}-{work.number:06d}-{first.name}"
        try:
            deaths = self._attempts.deaths(key)
            if deaths >= self._max_attempts:
                return pack(work, _dead(work, first, "the worker process died", deaths))
            with self._attempts.attempt(key):
                return self._run(work)
        except Exception as error:  # the run's storage failed outside a stage
            return pack(work, _dead(work, first, _describe(error), 1))

    def _run(self, work: Work) -> dict:
        for stage in self._stages:
            for attempt in range(1, self._max_attempts + 1):
                start = time.perf_counter()
                try:
                    done = stage.process(work)
                except Exception as error:
                    if attempt == self._max_attempts:
                        return pack(work, _dead(work, stage, _describe(error), attempt))
                    time.sleep(min(0.2 * 2**attempt, 5.0))
                else:
                    seconds = work.busy.get(stage.name, 0.0) + time.perf_counter() - start
                    work = replace(done, busy={**work.busy, stage.name: round(seconds, 4)})
                    break
        return pack(work)


def _dead(work: Work, stage: Stage, error: str, attempts: int) -> Dead:
    kind = "identities" if work.kind == "identities" else "samples"
    return Dead(
        kind=kind, number=work.number, stage=stage.name, error=error, attempts=attempts, node=socket.gethostname()
    )


def _describe(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({frame.name}, line {frame.lineno} of {frame.filename.rsplit('/', 1)[-1]})"
