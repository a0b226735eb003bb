"""Runs stages over units of work as a streaming Ray Data pipeline of actor pools, one unit a row."""

import gc
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from synfiqa.cluster.pipeline.attempts import Attempts
from synfiqa.cluster.pipeline.layout.balance import SteadySizes
from synfiqa.cluster.pipeline.layout.placement import Pool, sizes_on
from synfiqa.cluster.pipeline.layout.pool_sizes import MeasuredPace
from synfiqa.cluster.pipeline.layout.resizing import MOST_WORKERS
from synfiqa.cluster.pipeline.layout.room import after_losses, can_go_on, growth_bundles, plan_with_room, usable_nodes
from synfiqa.cluster.pipeline.layout.set_aside import SetAside
from synfiqa.cluster.pipeline.ray_session import quiet_ray
from synfiqa.cluster.pipeline.stage import Stage, Work
from synfiqa.cluster.pipeline.waits import Shrunk, Waits
from synfiqa.cluster.pipeline.wire import pack, unpack
from synfiqa.cluster.pipeline.worker import worker_class
from synfiqa.cluster.ray_cluster.autoscaler import requested
from synfiqa.cluster.ray_cluster.nodes import Node
from synfiqa.cluster.ray_cluster.worker_states import WorkerStates
from synfiqa.cluster.run.lease import Claim
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.log_lines import log_format
from synfiqa.cluster.telemetry.progress import announce
from synfiqa.cluster.telemetry.run_metrics import pool_workers
from synfiqa.schemas.config.cluster import PlacementSection, ResilienceSection
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.manifest import Dead

if TYPE_CHECKING:
    from synfiqa.cluster.pipeline.watched_execution import Watched

WINDOW = 1000
"""Least units per Ray Data execution. Its driver keeps statistics of every block, and each block takes longer the more
there are, so a long run is cut: starting the pools again costs seconds, a window of shards takes hours."""
ROUNDS = 48
"""Least units per execution and worker: towards its end workers wait for the slowest, half a unit each on average."""
LONGEST_WINDOW = 50_000
"""Most units per execution: the driver takes 9 KB for each."""

_CLEAR_S = 10.0
"""Retry budget of the final clean-up."""
_DEFAULT_RESILIENCE = ResilienceSection()


def stream(
    stages: list[Stage],
    units: Iterable[Work],
    storage: Storage,
    placement: PlacementSection,
    resilience: ResilienceSection = _DEFAULT_RESILIENCE,
    *,
    ordered: bool = False,
    claim: Claim | None = None,
) -> Generator[Work | Dead]:
    """Yield each unit after the last stage, or its dead record; in unit order when `ordered`, else as they finish.

    With a `claim`, idle workers end when another driver has taken the run over, whatever this driver does.
    Closing the iterator early stops the pipeline; what was in flight is lost and nothing else is. Raises the error
    with which a worker ends the job, and JobFailed when the workers cannot be started or kept.
    """
    aside, rest = SetAside(), iter(units)

    def usable() -> list[Node]:
        return aside.without(usable_nodes())

    with ExitStack() as cleanup:
        session, nodes = "", list[Node]()
        while window := list(islice(rest, WINDOW)):
            if not session:
                session = cleanup.enter_context(_session(storage, aside))
            placement = after_losses(placement)
            with requested(growth_bundles(stages, placement, usable_nodes(), LONGEST_WINDOW)):
                pools, nodes = plan_with_room(stages, placement, resilience, LONGEST_WINDOW, usable)
            window += islice(rest, window_size(pools) - WINDOW)
            left = {unit.number: unit for unit in window}
            while left:
                session = session or cleanup.enter_context(_session(storage, aside))
                placement = after_losses(placement)
                with requested(growth_bundles(stages, placement, usable_nodes(), len(left))):
                    pools, nodes = plan_with_room(stages, placement, resilience, len(left), usable)
                    show = partial(pool_workers, storage.uri())
                    watched = _watched(stages, pools, nodes, placement, resilience, aside, left, show)
                    dataset = partial(
                        _dataset,
                        list(left.values()),
                        pools,
                        storage,
                        placement,
                        resilience,
                        session,
                        ordered,
                        aside.selector(),
                        claim,
                    )
                    try:
                        with closing(_execute(dataset, watched)) as results:
                            for done in results:
                                left.pop(done.number, None)
                                yield done
                        break
                    except Shrunk as loss:
                        announce(str(loss))
                        aside.require(pools, usable_nodes())
                        # Workers that are ended in the middle of a unit leave marks, which would count as deaths.
                        session = ""
            # A finished execution is full of cycles, and a driver makes too few objects to have them found soon.
            gc.collect()


def window_size(pools: Sequence[Pool]) -> int:
    """Return how many units one execution takes: more where more workers would wait for its end."""
    return min(LONGEST_WINDOW, max(WINDOW, ROUNDS * max(pool.size for pool in pools)))


@contextmanager
def _session(storage: Storage, aside: SetAside) -> Iterator[str]:
    """Open attempt marks, whose session scopes them: deaths under an earlier driver do not count; remove them after."""
    session = uuid.uuid4().hex
    Attempts(storage, session).open()
    aside.follow(session)
    try:
        yield session
    finally:
        aside.forget()
        # Does not mask the original error; gc removes leftover marks.
        with suppress(UserError, JobFailed):
            Attempts(Storage(storage.url, min(storage.retry_budget_s, _CLEAR_S)), session).clear()


def _watched(
    stages: list[Stage],
    pools: list[Pool],
    nodes: Sequence[Node],
    placement: PlacementSection,
    resilience: ResilienceSection,
    aside: SetAside,
    left: Sized,
    show: Callable[[Mapping[str, WorkerStates]], None],
) -> "Watched":
    from synfiqa.cluster.pipeline.watched_execution import Watched

    waits = Waits(pools, nodes, resilience, partial(can_go_on, stages, placement))
    pace = MeasuredPace()
    steady = SteadySizes(
        lambda now, seconds: sizes_on(pools, placement, now, LONGEST_WINDOW, seconds),
        [[stage.name for stage in pool.stages] for pool in pools],
    )
    return Watched(
        pools, waits, aside, lambda now: [min(size, len(left)) for size in steady.on(now, pace.seconds)], pace, show
    )


def _execute(make: Callable[[], Any], watched: "Watched") -> Generator[Work | Dead]:
    import ray

    from synfiqa.cluster.pipeline.watched_execution import unwatch, watch

    quiet_ray()
    key = watch(ray.data.DataContext.get_current(), watched)
    rows = iter(make().iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0))
    try:
        for batch in rows:
            for row in batch.to_pylist():
                done = unpack(row)
                yield done
                busy = done.busy if isinstance(done, Work) else {}
                watched.pace.add(busy)
                watched.waits.finished(sum(busy.values()))
    except (ray.exceptions.RayError, ray.exceptions.RaySystemError) as error:
        # A worker that had units was started again on a node where it cannot be.
        if watched.aside.look():
            raise Shrunk("the stages are laid out anew on the nodes that are left") from error
        message = str(error.__cause__ or "").strip() or str(error).strip() or type(error).__name__
        raise JobFailed(
            f"the workers could not go on ({message.splitlines()[-1]}): correct the cause and run the same command "
            "again"
        ) from error
    finally:
        unwatch(key)
        watched.show({pool.name: WorkerStates() for pool in watched.pools})
        # Dropping the iterator is what makes Ray Data stop its executor and give the actors back.
        del rows


def _dataset(
    units: Sequence[Work],
    pools: list[Pool],
    storage: Storage,
    placement: PlacementSection,
    resilience: ResilienceSection,
    session: str,
    ordered: bool,
    keep_off: dict[str, str],
    claim: Claim | None,
) -> Any:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = ordered
    context.execution_options.verbose_progress = False
    context.enable_progress_bars = False
    # Workers try twice themselves; the failures on a node are counted, not those of a pool.
    context.actor_init_retry_on_errors = False
    context.max_consecutive_actor_init_deaths = -1
    context.wait_for_min_actors_s = 0
    if placement.object_store_mb:
        context.execution_options.resource_limits = ray.data.ExecutionResources.for_limits(
            object_store_memory=placement.object_store_mb * 1024**2
        )
    dataset: Any = ray.data.from_items([pack(unit) for unit in units], override_num_blocks=len(units))
    for pool in pools:
        dataset = dataset.map_batches(
            worker_class(pool.name),
            fn_constructor_args=(list(pool.stages), storage, session, resilience.max_attempts, claim, log_format()),
            batch_size=1,
            batch_format="pyarrow",
            num_cpus=pool.resources.cpus,
            memory=pool.ram_mb * 1024**2 or None,
            num_gpus=pool.resources.gpus or None,
            compute=ray.data.ActorPoolStrategy(
                min_size=pool.size, initial_size=pool.size, max_size=MOST_WORKERS, max_tasks_in_flight_per_actor=2
            ),
            udf_modifying_row_count=False,
            **({"label_selector": selector} if (selector := pool.labels | keep_off) else {}),
        )
    return dataset
