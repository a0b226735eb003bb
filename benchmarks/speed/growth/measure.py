"""Measures a job in a forked process: CPU seconds and memory, less those of a tiny run before it."""

import gc
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable

from benchmarks.speed.growth.arithmetic import Cost


def in_fork[T](call: Callable[[], T]) -> T:
    """Return the result (JSON) of a call in a forked process, which starts with all imports and no garbage.

    RuntimeError when it fails there.
    """
    gc.collect()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.close(reader)
            # What jobs report about themselves is no part of the table.
            sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
            answer = json.dumps({"result": call()})
            code = 0
        except BaseException:
            answer = json.dumps({"error": traceback.format_exc()})
        with os.fdopen(writer, "w") as file:
            file.write(answer)
        os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as file:
        answer = json.loads(file.read() or '{"error": "it was killed"}')
    os.waitpid(child, 0)
    if "error" in answer:
        raise RuntimeError(answer["error"])
    result: T = answer["result"]
    return result


def cost_of(job: Callable[[], object], start_up: Callable[[], object]) -> Cost:
    """Return what a job costs more than a tiny one of its kind; call it in a process of its own."""
    start_up()
    small = _measured(start_up)
    return _measured(job).without(Cost(small.seconds, 0.0))


def _measured(job: Callable[[], object]) -> Cost:
    # The peak of the process so far counts as start-up: memory that an earlier job has left free is used again.
    before, begun = _peak_mb(), time.process_time()
    job()
    return Cost(time.process_time() - begun, _peak_mb() - before)


def _peak_mb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
