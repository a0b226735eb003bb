"""Settings of a measurement, and its distribution over processes."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch

from synfiqa.actors.model_store.catalogue import BUNDLED


@dataclass(frozen=True)
class Settings:
    """Settings: `faces` for detection, `identities` for networks and labels, `runs` for labels, model, photograph.

    Renders are kept in `work`. All seeds derive from `seed` under a path of their own, so these people are in no run,
    training set or benchmark. `label` is the name of the label pass and the model of the runs. `networks` are the
    folders whose embedders and image-text network are measured.
    """

    faces: int = 1000
    per_cell: int = 100
    identities: int = 100
    timed: int = 6
    repeats: int = 20
    seed: int = 0
    processes: int = 2
    work: Path = Path("runs/faces")
    runs: tuple[str, ...] = ()
    label: str = "default"
    networks: tuple[Path, ...] = (BUNDLED,)


def spread[Job, Result](function: Callable[[Job], Result], jobs: Sequence[Job], processes: int) -> list[Result]:
    """Apply the function to every job in order, in so many new processes of one thread each."""
    if processes == 1:
        return [function(job) for job in jobs]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        return list(pool.map(function, jobs, chunksize=4))


def _one_thread() -> None:
    torch.set_num_threads(1)
