"""Counts the worker processes of this driver by what Ray has done with them: running, starting, or without a place."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WorkerStates:
    """Workers of a pool: `running` take work, `starting` have a place and load, `waiting` have no place on any node."""

    running: int = 0
    starting: int = 0
    waiting: int = 0


def count_states(actors: Iterable[dict], names: Iterable[str], alive: Mapping[str, int]) -> dict[str, WorkerStates]:
    """Return the states by pool, of Ray's records of actors; their class is named `MapWorker(MapBatches(POOL))`.

    `alive` are the nodes that live, by id the port of their raylet: what started on another one has no place.
    """
    counts = {name: {"running": 0, "starting": 0, "waiting": 0} for name in names}
    pools = {f"MapWorker(MapBatches({name}))": name for name in counts}
    for actor in actors:
        name = pools.get(actor["ActorClassName"])
        if name is None or actor["State"] == "DEAD":
            continue
        if actor["State"] == "ALIVE":
            counts[name]["running"] += 1
        else:
            # An actor has an address as soon as a process runs its constructor, and keeps it when its node dies then.
            # Before that it may have the address of a raylet, one that another raylet has passed it on to.
            address = actor["Address"]
            raylet = alive.get(address["NodeID"])
            placed = address["IPAddress"] and raylet is not None and address["Port"] != raylet
            counts[name]["starting" if placed else "waiting"] += 1
    return {name: WorkerStates(**found) for name, found in counts.items()}


def worker_states(names: Iterable[str]) -> dict[str, WorkerStates]:
    """Return the states of the pools of this driver now; needs Ray to be initialised."""
    import ray

    alive = {node["NodeID"]: node["NodeManagerPort"] for node in ray.nodes() if node["Alive"]}
    return count_states(_own_actors(), names, alive)


def alive_actors(name: str) -> int:
    """Return how many actors of a class this driver has that run."""
    return sum(actor["ActorClassName"] == name and actor["State"] == "ALIVE" for actor in _own_actors())


def end_actors(name: str) -> None:
    """End the actors of a class that this driver has started, such as one whose handle a library keeps."""
    import ray

    worker: Any = ray._private.worker.global_worker
    for actor in _own_actors():
        if actor["ActorClassName"] == name and actor["State"] != "DEAD":
            # An actor may end on its own meanwhile.
            with suppress(Exception):
                worker.core_worker.kill_actor(ray.ActorID(bytes.fromhex(actor["ActorID"])), True)


def _own_actors() -> list[dict]:
    import ray

    # Ray's public list of actors needs its dashboard, which a local cluster starts without.
    from ray._private.state import state

    job = ray.JobID(bytes.fromhex(ray.get_runtime_context().get_job_id()))
    return list(state.actor_table(None, job).values())
