"""Making of a benchmark: identities in parallel, each recorded when complete, so that a killed make resumes."""

import hashlib
import json
import os
import platform
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from filelock import FileLock, Timeout

from synfiqa.cluster.commits.shard_formats import decode, encode
from synfiqa.cluster.run.fingerprint import differences
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.rendered_benchmark.folder import (
    BASIS,
    DOCUMENT,
    IMAGE_TABLE,
    MAKING,
    PAIR_TABLE,
    basis,
    contents,
    counts,
    intact,
    read_document,
    whole_digest,
)
from synfiqa.fiqa_train.rendered_benchmark.pairs import fixed_pairs
from synfiqa.fiqa_train.rendered_benchmark.plan import Settings
from synfiqa.fiqa_train.rendered_benchmark.render import IMAGES, render_identity
from synfiqa.schemas.errors import JobFailed, UserError

LOCK = "lock"

Progress = Callable[[int, int], None]
"""Called with identities done and identities planned."""


def make_benchmark(folder: Path, settings: Settings, processes: int, progress: Progress) -> dict[str, Any]:
    """Make what is missing of the benchmark and return its document, independent of the number of processes.

    UserError when the folder holds other files, or a benchmark with other settings or versions.
    """
    folder = folder.expanduser().absolute()
    with _one_thread():
        made_from = basis(settings)
    if (folder / DOCUMENT).is_file() and not (folder / MAKING).exists():
        return _finished(folder, made_from)
    with _locked(folder):
        if (folder / DOCUMENT).is_file():
            document = _finished(folder, made_from)
        else:
            if (folder / BASIS).is_file():
                _require_equal(folder, json.loads((folder / BASIS).read_bytes()), made_from)
            Storage(str(folder)).write(BASIS, _json(made_from))
            _make_missing(folder, settings, processes, progress)
            document = _finish(folder, settings, made_from)
        shutil.rmtree(folder / MAKING)
    return document


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock the folder; UserError when it is not a benchmark's, or another process has locked it."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is no folder: give --out a folder that is missing or empty")
    inside = {path.name for path in folder.iterdir()} if folder.exists() else set()
    begun = {path.name for path in (folder / MAKING).iterdir()} if (folder / MAKING).is_dir() else set()
    ours = DOCUMENT in inside or (folder / BASIS).is_file() or (inside <= {MAKING} and begun <= {LOCK})
    if not ours:
        raise UserError(f"{folder} holds other files: give --out a folder that is missing or empty")
    (folder / MAKING).mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / MAKING / LOCK, timeout=0):
            yield
    except Timeout:
        raise UserError(f"{folder} is being made by another process: wait for it, or stop it first") from None


def _finished(folder: Path, made_from: dict[str, Any]) -> dict[str, Any]:
    document = read_document(folder)
    _require_equal(folder, {key: document[key] for key in made_from}, made_from)
    return document


def _require_equal(folder: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    changed = differences(old, new)
    if changed:
        raise UserError(f"{folder} is made with other settings ({'; '.join(changed)}): give --out another folder")


def _make_missing(folder: Path, settings: Settings, processes: int, progress: Progress) -> None:
    missing = [number for number in range(settings.identities) if not _is_made(folder, number)]
    done = settings.identities - len(missing)
    progress(done, settings.identities)
    try:
        for _ in _identities(folder, settings, missing, min(processes, len(missing))):
            done += 1
            progress(done, settings.identities)
    except OSError as error:
        reason = error.strerror or error
        raise JobFailed(
            f"{folder} cannot be written ({reason}): remove the cause and run the same command again"
        ) from error
    except BrokenProcessPool as error:
        raise JobFailed("a process that rendered has died: run the same command again to go on") from error


def _identities(folder: Path, settings: Settings, numbers: list[int], processes: int) -> Iterator[None]:
    if processes <= 1:
        with _one_thread():
            for number in numbers:
                _make_identity(folder, settings, number)
                yield
        return
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_start_process)
    try:
        futures: list[Future[None]] = [pool.submit(_make_identity, folder, settings, number) for number in numbers]
        for future in as_completed(futures):
            future.result()
            yield
    finally:
        pool.shutdown(cancel_futures=True)


def _start_process() -> None:
    # The parent handles an interruption: it waits for the identities in progress.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)


def _end_with_parent() -> None:
    """End this process when its parent ends."""
    # The processes of a pool outlive a killed parent.
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Use one torch thread inside the block, as in the processes of the pool."""
    # The number of threads decides the order of sums, and so the last bits of pixels.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _make_identity(folder: Path, settings: Settings, number: int) -> None:
    """Write the images of one identity, then its rows, which mark it as complete."""
    rows = []
    for row, data in render_identity(settings, number):
        path = folder / row["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        rows.append(row)
    Storage(str(folder)).write(_rows_of(number), encode(pa.Table.from_pylist(rows, schema=IMAGES), "parquet", {}))


def _rows_of(number: int) -> str:
    return f"{MAKING}/{number:06d}.parquet"


def _is_made(folder: Path, number: int) -> bool:
    path = folder / _rows_of(number)
    if not path.is_file():
        return False
    try:
        rows = decode(path.read_bytes(), "parquet", ["path", "sha256"]).to_pylist()
    except (OSError, pa.ArrowInvalid):
        return False
    return intact(folder, rows)


def _finish(folder: Path, settings: Settings, made_from: dict[str, Any]) -> dict[str, Any]:
    """Write the tables, then the document, which marks the benchmark as complete."""
    storage = Storage(str(folder))
    tables = [decode(storage.read(_rows_of(number)), "parquet") for number in range(settings.identities)]
    images = pa.concat_tables(tables).combine_chunks()
    pairs = fixed_pairs(settings, images.select(["path", "identity", "role"]).to_pylist())
    files = {}
    for name, table in ((IMAGE_TABLE, images), (PAIR_TABLE, pairs)):
        data = encode(table, "parquet", {})
        storage.write(name, data)
        files[name] = hashlib.sha256(data).hexdigest()
    content = contents(images, pairs)
    document = {
        **made_from,
        "machine": {"architecture": platform.machine(), "vector": torch.backends.cpu.get_cpu_capability()},
        "counts": counts(images, pairs),
        "files": files,
        "content": content,
        "digest": whole_digest(made_from["version"], made_from["settings"], content),
    }
    storage.write(DOCUMENT, _json(document))
    return document


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=1, allow_nan=False).encode() + b"\n"
