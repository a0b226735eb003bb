"""One task on each other node of a cluster, before work starts: what the node lacks is said at once, by host."""

import shutil
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synfiqa.cluster.run.fingerprint import library_version
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.machine import cpu_class
from synfiqa.schemas.errors import UserError

LEAST_DISK = 2 * 2**30
"""Free bytes of the temporary folder below which a node is named."""


@dataclass(frozen=True)
class Answer:
    """What a probe found on a node: its host, class of CPU, what is wrong there, and remarks that end nothing."""

    host: str
    cpus: str
    faults: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def examine(libraries: Mapping[str, str], url: str, written: str) -> Answer:
    """Compare this node's libraries with `libraries`, and look for the object `written` of the run at `url`."""
    faults = [
        f"{name} is {library_version(name)}, not {wanted}"
        for name, wanted in libraries.items()
        if library_version(name) != wanted
    ]
    try:
        if not Storage(url).exists(written):
            faults.append(f"it does not see what the driver writes to {Storage(url).uri()}")
    # Whatever a store raises there is what the node lacks.
    except Exception as error:
        faults.append(f"it does not reach {Storage(url).uri()} ({type(error).__name__}: {error})")
    free = shutil.disk_usage(tempfile.gettempdir()).free
    remarks = [f"{free / 2**30:.1f} GiB are free on its disk"] if free < LEAST_DISK else []
    return Answer(socket.gethostname(), cpu_class(), tuple(faults), tuple(remarks))


def probe(libraries: Mapping[str, str], url: str, written: str, limit_s: float) -> list[Answer]:
    """Run `examine` on every node but the driver's, all at once; a node without an answer has that as its fault.

    `limit_s` is the time for all answers; 0 examines none.
    """
    if not limit_s:
        return []
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    own = ray.get_runtime_context().get_node_id()
    others = {node["NodeID"]: node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}
    others.pop(own, None)
    task = ray.remote(num_cpus=0, max_retries=0)(examine)
    asked = {
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(
            dict(libraries), url, written
        ): host
        for node, host in others.items()
    }
    ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=limit_s) if asked else ([], [])
    late = f"it did not answer in {limit_s:.0f} s"
    return [_answer(found, host) if found in ready else Answer(host, "", (late,)) for found, host in asked.items()]


def findings(answers: list[Answer]) -> list[str]:
    """Return one sentence a node with faults or remarks, and one where nodes have different classes of CPUs.

    UserError where nodes were probed and all of them have faults.
    """
    said = [f"{answer.host}: {'; '.join((*answer.faults, *answer.remarks))}" for answer in answers if _worth(answer)]
    if answers and all(answer.faults for answer in answers):
        raise UserError(
            f"no node of the cluster can work for this run ({' | '.join(said)}): install the driver's versions on the "
            "nodes, and give them the run's store"
        )
    classes = {answer.cpus: answer.host for answer in answers if answer.cpus} | {cpu_class(): "the driver"}
    if len(classes) > 1:
        shown = "; ".join(f"{host} has {cpus}" for cpus, host in classes.items())
        said.append(f"nodes differ in what decides rounding ({shown}): their pixels may differ in the last bits")
    return said


def _worth(answer: Answer) -> bool:
    return bool(answer.faults or answer.remarks)


def _answer(found: Any, host: str) -> Answer:
    import ray

    try:
        answer: Answer = ray.get(found)
    # A node without the package raises an ImportError wrapped by Ray, and others for other reasons.
    except Exception as error:
        return Answer(host, "", (f"it cannot run synfiqa ({str(error).strip().splitlines()[-1]})",))
    return answer
