"""Isolates errors of model calls: an error is bisected down to its row, out of memory to a smaller batch.

A micro-batch that fails is called once more, because most errors of a cluster pass; then it is halved until the row
stands alone, tried a last time, and dead. Its neighbours are made. Running out of memory halves the micro-batches of
the rest of the unit instead, padded calls included, and costs nothing. A batch under whose mark two processes died is
halved the same way. A process that lost its device ends, because no further call could succeed.
"""

import json
import os
import re
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NoReturn

import pyarrow as pa

from synfiqa.cluster.pipeline.micro_batch import at_most
from synfiqa.cluster.pipeline.stage import Stage, Work
from synfiqa.cluster.telemetry.log_lines import emit
from synfiqa.cluster.telemetry.run_metrics import repeated
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.manifest import DeadRow

DEVICE_LOST = 70
"""Exit code of a worker that lost its device."""

_DEVICE_ERROR = "AcceleratorError"
_TRIES = 2
_SAFE = re.compile(r"[^A-Za-z0-9_-]+")


class Salvage:
    """The calls of one stage on one unit. `dead`: rows given up or rejected; `smallest`: size that memory forced."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.dead: list[DeadRow] = []
        self.smallest: int | None = None

    def map[I, O](
        self,
        items: Sequence[I],
        call: Callable[[list[I]], Sequence[O]],
        size: int,
        name: Callable[[I], str],
        spec: Callable[[I], Any] = lambda item: None,
    ) -> list[O | None]:
        """Call `call` on batches of `size` and return one result an item, None where the row is dead.

        `name` gives the sample id or candidate number of an item, `spec` its specification (anything JSON holds).
        """
        run = _Calls(self, call, name, spec)
        results: list[O | None] = []
        for start in range(0, len(items), size):
            results += run.batch(list(items[start : start + size]), _TRIES)
        return results

    def bury(
        self,
        item: str,
        error: str,
        spec: Any = None,
        *,
        trace: str = "",
        attempts: int = 1,
        reason: str = "",
        value: float | None = None,
    ) -> None:
        """Record a row that was not made: dead by an error, or with a `reason` rejected, which is finished work.

        A sample is rejected when it was found unfit as often as it was tried; `value` is the measurement that decided.
        """
        self.dead.append(
            DeadRow(
                item=item,
                stage=self._stage.name,
                error=error,
                reason=reason,
                value=value,
                traceback=trace,
                attempts=attempts,
                node=socket.gethostname(),
                spec="" if spec is None else json.dumps(spec, sort_keys=True),
            )
        )

    def finish(self, work: Work, table: pa.Table) -> Work:
        """Return the unit with its new rows, the dead ones, and the micro-batch if memory forced a smaller one."""
        size = {} if self.smallest is None else {f"micro_batch_{self._stage.name}": str(self.smallest)}
        return replace(work, table=table, dead=(*work.dead, *self.dead), notes={**work.notes, **size})


class _Calls[I, O]:
    def __init__(
        self,
        salvage: Salvage,
        call: Callable[[list[I]], Sequence[O]],
        name: Callable[[I], str],
        spec: Callable[[I], Any],
    ) -> None:
        self._salvage = salvage
        self._marks = salvage._stage.marks
        self._call, self._name, self._spec = call, name, spec

    def batch(self, items: list[I], tries: int) -> list[O | None]:
        limit = self._salvage.smallest
        if limit is not None and len(items) > limit:
            parts = [items[start : start + limit] for start in range(0, len(items), limit)]
            return [result for part in parts for result in self.batch(part, tries)]
        key = self._key(items)
        if (deaths := self._marks.deaths(key)) >= _TRIES:
            if len(items) > 1:
                return self._halves(items)
            return self._bury(items[0], "the worker process died on this row", "", deaths)
        for attempt in range(1, tries + 1):
            exhausted = False
            try:
                with self._marks.attempt(key), at_most(limit):
                    results = self._called(items)
            except (UserError, JobFailed):
                raise
            except Exception as error:
                exhausted = is_out_of_memory(error)
                message, trace = describe(error), traceback.format_exc()
            else:
                if len(results) != len(items):
                    raise ValueError(f"a call on {len(items)} rows returned {len(results)}")
                return list(results)
            repeated("call")
            # Outside the handler: the error's traceback holds everything that the failed call had in memory.
            if exhausted:
                free_memory()
                # A single row may have been padded to a whole micro-batch of its network.
                smaller = max(1, len(items) // 2)
                if limit is None or smaller < limit:
                    self._salvage.smallest = smaller
                    return self.batch(items, tries)
            if attempt == tries and len(items) == 1:
                return self._bury(items[0], message, trace, attempt)
        return self._halves(items)

    def _called(self, items: list[I]) -> list[O]:
        try:
            return list(self._call(items))
        except Exception as error:
            if is_device_lost(error):
                end_process(error)
            raise

    def _halves(self, items: list[I]) -> list[O | None]:
        middle = len(items) // 2
        halves = (items[:middle], items[middle:])
        return [result for half in halves for result in self.batch(half, _TRIES if len(half) == 1 else 1)]

    def _bury(self, item: I, error: str, trace: str, attempts: int) -> list[O | None]:
        self._salvage.bury(self._name(item), error, self._spec(item), trace=trace, attempts=attempts)
        return [None]

    def _key(self, items: list[I]) -> str:
        first, last = self._name(items[0]), self._name(items[-1])
        return _SAFE.sub("_", f"{self._salvage._stage.name}-{first}-{last}")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether host or device memory ran out."""
    if isinstance(error, MemoryError):
        return True
    text = str(error)
    # The libraries below PyTorch report it as a failed allocation of their own.
    if isinstance(error, RuntimeError) and "STATUS_ALLOC_FAILED" in text:
        return True
    # By name, so that a worker without torch need not import it.
    return type(error).__name__ in ("OutOfMemoryError", _DEVICE_ERROR) and "out of memory" in text.lower()


def is_device_lost(error: BaseException) -> bool:
    """Whether the device refuses every further call of this process: illegal accesses, ECC errors, a fallen bus."""
    return type(error).__name__ == _DEVICE_ERROR and not is_out_of_memory(error)


def end_process(error: BaseException) -> NoReturn:
    """End this worker at once, without removing its marks: the worker that Ray starts next finds the row by them."""
    emit(f"this worker ends because its device is lost ({describe(error)})", "error")
    os._exit(DEVICE_LOST)


def free_memory() -> None:
    """Give cached device memory back before a smaller try."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def describe(error: BaseException) -> str:
    """Return type, message and place of an error in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    place = (
        f" ({frames[-1].name}, line {frames[-1].lineno} of {frames[-1].filename.rsplit('/', 1)[-1]})" if frames else ""
    )
    return " ".join(f"{type(error).__name__}: {error}{place}".split())
