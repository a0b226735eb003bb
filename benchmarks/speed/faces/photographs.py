"""Measure what an image of a camera's photograph costs, by part, in CPU-milliseconds of one thread.

`python -m benchmarks.speed.faces.photographs` makes the samples of a few identities by the stage of the generator,
without Ray, and prints the least of `--rounds` rounds. Every round builds the identities anew.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import cv2
import pyarrow as pa
import torch

from synfiqa.actors.face3d.render import renderer
from synfiqa.actors.face_analysis.mtcnn import MtcnnDetector
from synfiqa.actors.generation.conditional import photographed_faces
from synfiqa.actors.model_store.resolved_run import ResolvedRun, resolve
from synfiqa.actors.stages import conditional_generator
from synfiqa.actors.stages.conditional_generator import ConditionalGeneratorStage
from synfiqa.actors.stages.identity_generator import IdentityGeneratorStage
from synfiqa.cluster.pipeline.stage import Work
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.rows import CANDIDATES, IDENTITIES

PARTS: dict[str, tuple[Any, str]] = {
    "render": (renderer.HeadRenderer, "render"),
    "of it an identity's assets": (renderer, "build_assets"),
    "photograph": (photographed_faces, "photographed"),
    "detection": (MtcnnDetector, "faces_of_size"),
    "alignment": (photographed_faces, "_aligned"),
    "encode": (conditional_generator, "encode_jpeg"),
}
"""Functions that make up an image, by the owner and the name that they are called by."""

ALL = "all"


@contextmanager
def timed(spent: Counter[str]) -> Iterator[None]:
    """Add the CPU-seconds of every part to `spent` while the context is open."""

    def measured(part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **options: Any) -> Any:
            start = time.process_time()
            try:
                return call(*args, **options)
            finally:
                spent[part] += time.process_time() - start

        return counted

    with ExitStack() as stack:
        for part, (owner, name) in PARTS.items():
            stack.enter_context(mock.patch.object(owner, name, measured(part, getattr(owner, name))))
        yield


def identities(run: ResolvedRun, count: int) -> pa.Table:
    """Return the first candidates of a run as if all had been accepted."""
    plan = {"first": 0, "count": count}
    made = IdentityGeneratorStage(run).process(Work("identities", 0, CANDIDATES.empty_table(), plan=plan)).table
    rows = [
        {name: row.get(name) for name in IDENTITIES.names} | {"identity": number}
        for number, row in enumerate(made.to_pylist())
    ]
    return pa.Table.from_pylist(rows, schema=IDENTITIES)


def milliseconds(config: RunConfig, count: int, rounds: int) -> dict[str, float]:
    """Measure CPU-ms an image of every part and of all, the least of some rounds."""
    run = resolve(config)
    work = Work("samples", 0, identities(run, count))
    least: dict[str, float] = {}
    for _ in range(rounds):
        spent: Counter[str] = Counter()
        with timed(spent), mock.patch.object(renderer, "_CACHED_IDENTITIES", 2):
            stage = ConditionalGeneratorStage(run)
            stage.setup()
            start = time.process_time()
            images = len(stage.process(work).table)
            spent[ALL] = time.process_time() - start
        for part in (*PARTS, ALL):
            least[part] = min(least.get(part, float("inf")), 1000 * spent[part] / images)
    return least


def main() -> None:
    """Print the CPU-ms of an image by part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--identities", type=int, default=4, help="number of identities, 3 at least")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, of which the fastest counts")
    parser.add_argument("--portrait-size", type=int, default=192, help="side of a head's portrait in pixels")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    generate = {
        "references": 4,
        "degraded": 20,
        "profile": "camera",
        "people": "varied",
        "portrait_size": options.portrait_size,
    }
    config = RunConfig.model_validate({"generate": generate})
    for part, spent in milliseconds(config, options.identities, options.rounds).items():
        print(f"{part:<28} {spent:7.2f} CPU-ms an image")


if __name__ == "__main__":
    main()
