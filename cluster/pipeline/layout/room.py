"""Waits until a cluster has room for a worker of every stage, and requests that room where an autoscaler runs."""

import time
from collections.abc import Callable, Sequence
from functools import partial

from synfiqa.cluster.pipeline.layout.placement import NoRoom, Pool, plan_placement
from synfiqa.cluster.pipeline.stage import Stage
from synfiqa.cluster.ray_cluster.autoscaler import Bundle, growth_limits, most_nodes, own_cluster
from synfiqa.cluster.ray_cluster.nodes import Node, alive_nodes, lost_nodes, total
from synfiqa.cluster.telemetry.progress import announce, clock
from synfiqa.schemas.config.cluster import PlacementSection, ResilienceSection
from synfiqa.schemas.errors import JobFailed, UserError

LOOK_S = 2.0
"""Seconds between two looks at the cluster."""
PLENTY = 1e9
"""CPUs, GPUs and megabytes that are enough for everything."""
SENTENCE_S = 30.0
"""Seconds between two sentences about the wait; the first comes at once."""


def usable_nodes() -> list[Node]:
    """Return the nodes that take new work: alive, and not given notice."""
    return [node for node in alive_nodes() if not node.draining]


class NodeWait:
    """A wait for nodes of at most `resilience.placement_wait_s`, with a sentence at once and every SENTENCE_S."""

    def __init__(self, resilience: ResilienceSection) -> None:
        self._limit_s = resilience.placement_wait_s
        self._began = time.monotonic()
        self._spoken = 0.0

    def go_on(self, waiting: str, ended: Callable[[str], str]) -> None:
        """Sleep until the next look; JobFailed with `ended` of the time that has passed when the limit is reached."""
        waited = time.monotonic() - self._began
        if waited >= self._limit_s:
            raise JobFailed(
                f"{ended(clock(waited))}, or raise resilience.placement_wait_s, and run the same command again"
            )
        if waited >= self._spoken:
            announce(f"{waiting} for {clock(waited)} of at most {clock(self._limit_s)}")
            self._spoken = waited + SENTENCE_S
        time.sleep(LOOK_S)


def plan_with_room(
    stages: list[Stage],
    placement: PlacementSection,
    resilience: ResilienceSection,
    units: int,
    look: Callable[[], list[Node]] = usable_nodes,
) -> tuple[list[Pool], list[Node]]:
    """Return the pools of `stages` and the nodes they are planned on, as soon as nodes have room for each.

    UserError when that will never be: on a cluster of this process alone, or for what no growth can help. JobFailed
    after `resilience.placement_wait_s`.
    """
    wait, began_empty = NodeWait(resilience), False
    while True:
        nodes = look()
        try:
            return plan_placement(stages, placement, nodes, units), nodes
        except NoRoom as error:
            lacks, began_empty = error, True
        except UserError as error:
            # The first nodes of a cluster that had none are too few for a fixed number of workers.
            if not _would_fit_after_growth(stages, placement, nodes, guess=began_empty):
                raise
            lacks = NoRoom(str(error))
        if own_cluster():
            raise lacks
        wait.go_on(f"waiting for nodes ({lacks}),", partial(_ended, str(lacks)))


def after_losses(placement: PlacementSection) -> PlacementSection:
    """Return the placement, with mode auto instead of split on a cluster that has lost nodes; needs Ray.

    The GPUs that are left may be too few for a pool a stage, and a run under way goes on in fewer processes. Where an
    autoscaler runs, it replaces them.
    """
    if placement.mode == "split" and growth_limits() is None and lost_nodes():
        return placement.model_copy(update={"mode": "auto"})
    return placement


def can_go_on(stages: list[Stage], placement: PlacementSection, nodes: Sequence[Node]) -> bool:
    """Return whether the stages can be laid out anew on `nodes`, which a running stream has left; needs Ray."""
    pools = _plan(stages, after_losses(placement), nodes)
    return pools is not None and all(any(node.has(pool.labels) for node in nodes) for pool in pools)


def _ended(lacks: str, waited: str) -> str:
    return f"{lacks}: after {waited} without it the job ends; add nodes"


def growth_bundles(stages: list[Stage], placement: PlacementSection, nodes: Sequence[Node], units: int) -> list[Bundle]:
    """Return the nodes, or workers, that the plan would have on the cluster grown to its limits; empty without any.

    Where the limits are not known, and stages have no room: a worker of each, or as many as `placement` fixes.
    """
    known = _grown(nodes)
    if not known:
        if own_cluster() or _plan(stages, placement, nodes) is not None:
            return []
        placement = placement.model_copy(update={"workers": placement.workers or 1})
    try:
        pools = plan_placement(stages, placement, known or [_plenty(placement)], units)
    except UserError:
        return []
    workers = [
        Bundle(pool.resources.cpus, pool.resources.gpus, pool.labels) for pool in pools for _ in range(pool.size)
    ]
    most = most_nodes()
    return _whole_nodes(workers, most) if most else workers


def _whole_nodes(workers: Sequence[Bundle], most: Sequence[Node]) -> list[Bundle]:
    """Return bundles of a node each, as many as the workers need."""
    # The autoscaler grants a request as a whole, so it must be able to place it: nodes of its own types it can.
    free, used = [[node.cpus, node.gpus] for node in most], set()
    for worker in sorted(workers, key=lambda worker: -len(worker.labels)):
        for at, node in enumerate(most):
            if node.has(worker.labels) and worker.cpus <= free[at][0] + 1e-6 and worker.gpus <= free[at][1] + 1e-6:
                free[at] = [free[at][0] - worker.cpus, free[at][1] - worker.gpus]
                used.add(at)
                break
    return [Bundle(most[at].cpus, most[at].gpus, _selector(most[at], most)) for at in sorted(used)]


def _selector(node: Node, most: Sequence[Node]) -> dict[str, str]:
    """Return a selector of nodes with these labels, and without those of other kinds."""
    others = {label: sorted({other.labels[label] for other in most if label in other.labels}) for label in _keys(most)}
    return {label: node.labels.get(label) or f"!in({','.join(values)})" for label, values in others.items()}


def _keys(nodes: Sequence[Node]) -> list[str]:
    return sorted({label for node in nodes for label in node.labels})


def _would_fit_after_growth(
    stages: list[Stage], placement: PlacementSection, nodes: Sequence[Node], *, guess: bool
) -> bool:
    grown = _grown(nodes) or ([_plenty(placement)] if guess and not own_cluster() else [])
    return bool(grown) and total(grown) != total(nodes) and _plan(stages, placement, grown) is not None


def _plan(stages: list[Stage], placement: PlacementSection, nodes: Sequence[Node]) -> list[Pool] | None:
    """Return the pools for one unit, or None where the nodes have no room for them."""
    try:
        return plan_placement(stages, placement, nodes, 1)
    except UserError:
        return None


def _grown(nodes: Sequence[Node]) -> list[Node]:
    if most := most_nodes():
        return most
    limits = growth_limits()
    if limits is None:
        return []
    cpus, gpus = (max(now, most) for now, most in zip(total(nodes), limits, strict=True))
    return [Node(cpus, gpus)]


def _plenty(placement: PlacementSection) -> Node:
    """Return a node on which everything has room; without GPUs, where these are not demanded."""
    return Node(PLENTY, PLENTY if placement.device == "cuda" else 0.0, memory_mb=PLENTY)
