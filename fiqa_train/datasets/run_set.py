"""A run of this project as a test set: its references and degraded samples."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from synfiqa.actors.imaging.codec import decode
from synfiqa.cluster.run.manifest import MANIFEST
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.datasets.opened_run import OpenedRun, open_run
from synfiqa.fiqa_train.datasets.photo_files import BATCH
from synfiqa.fiqa_train.datasets.testset import Crops, TestSet
from synfiqa.schemas.errors import JobFailed

MAX_IMAGES = 20_000
"""Images after which no further identity is taken, in order of their number."""


def is_run(source: str) -> bool:
    """Return whether a folder or URL holds a run."""
    return not Path(source).is_file() and Storage(source).exists(MANIFEST)


def open_run_set(name: str, source: str) -> TestSet:
    """Open the newest generation of a run as a test set, up to `MAX_IMAGES` images of whole identities."""
    run = open_run(source)
    rows = list(_rows(run, ["sample_id", "identity", "kind"]))
    return TestSet(
        name=name,
        format="run of synfiqa",
        protocol=f"pairs of the run's samples, as `evaluate.pairs` chooses them; at most {MAX_IMAGES} images",
        sha256=run.digest,
        ids=tuple(str(row["sample_id"]) for row in rows),
        crops=partial(_crops, run),
        identity=np.array([row["identity"] for row in rows], np.int64),
        is_reference=np.array([row["kind"] == "reference" for row in rows], bool),
        manifest=run.manifest,
    )


def _rows(run: OpenedRun, columns: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the samples until an identity begins beyond the limit; a shard holds whole identities."""
    count, last = 0, None
    for table in run.samples(columns):
        for row in sorted(table.to_pylist(), key=lambda row: int(row["identity"])):
            if row["identity"] != last and count >= MAX_IMAGES:
                return
            last, count = row["identity"], count + 1
            yield row


def _crops(run: OpenedRun) -> Iterator[Crops]:
    images: list[np.ndarray] = []
    for row in _rows(run, ["sample_id", "identity", "image"]):
        try:
            images.append(decode(row["image"]["bytes"]))
        except ValueError as error:
            raise JobFailed(f"the image of sample {row['sample_id']} cannot be used ({error})") from error
        if len(images) == BATCH:
            yield Crops(np.stack(images), ("",) * BATCH)
            images = []
    if images:
        yield Crops(np.stack(images), ("",) * len(images))
