"""How far a run is, from its folder alone: no cluster, no driver to ask, nothing changed.

Status is what people and dashboards call again and again, so it reads the counts of each commit and leaves the rest of
it unparsed: reading 10,000 commits as models takes four times as long as reading their bytes. Whether every commit is
sound is the business of `synfiqa verify`.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from synfiqa.cluster.commits.dataset_summary import candidate_totals, rejected_by_reason
from synfiqa.cluster.commits.shard_store import Kind, commit_path, parse_commit_path
from synfiqa.cluster.run.lease import LeaseView, newest_lease
from synfiqa.cluster.run.manifest import load_run, planned_shards
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.utilisation import RunTrace
from synfiqa.schemas.manifest import Record, RunManifest

RECENT = 64
"""Commits that the rate is taken from when no driver tells its own."""

_COUNTS = re.compile(rb'"counts"\s*:\s*(\{[^{}]*\})')
_CHUNK = 1 << 16


class Candidates(Record):
    """The identity half: planned = accepted + rejected + dead; enough are accepted when `wanted` is reached."""

    wanted: int
    planned: int
    accepted: int
    rejected: dict[str, int]
    dead: int
    units: int


class Samples(Record):
    """The sample half: `made` of `planned` rows are decided, and made = accepted + rejected + dead."""

    planned: int
    made: int
    accepted: int
    rejected: dict[str, int]
    dead: int
    references: int


class Shards(Record):
    """Output shards: committed of planned."""

    planned: int
    done: int


class Driver(Record):
    """Who holds the run, or held it last."""

    held: bool
    epoch: int
    job: str
    host: str
    pid: int
    since: str
    last_sign_s: float | None = Field(description="seconds since the last sign of life, by the store's clock")
    progress: dict[str, Any]


class RunStatus(Record):
    """One look at a run."""

    run: str
    state: str = Field(description="running, finished, or unfinished: submit the same command to go on")
    fingerprint: str
    candidates: Candidates
    samples: Samples
    shards: Shards
    unreadable: int = Field(description="commits whose counts are not readable; `synfiqa verify` names them")
    rate: float | None = Field(description="samples per second lately, or units of the phase that the driver is in")
    eta_s: float | None
    labels: list[str]
    models: list[str]
    report: bool
    driver: Driver | None
    lease: str = Field(description="the driver in words")
    trace: RunTrace | None = Field(None, description="how busy stages and GPUs were, when asked for")


def read_status(storage: Storage) -> RunStatus:
    """Look at the run; UserError when the folder is none."""
    manifest = load_run(storage)
    newest = _newest_commits(storage)
    units, broken_units = _add(storage, "identities", newest["identities"])
    rows, broken_shards = _add(storage, "samples", newest["samples"])
    generate = manifest.recipe["generate"]
    shards = Shards(planned=planned_shards(manifest), done=len(newest["samples"]))
    samples = Samples(
        planned=generate["identities"] * (generate["references"] + generate["degraded"]),
        made=rows["planned"],
        accepted=rows["accepted"],
        rejected=rejected_by_reason(rows),
        dead=rows["dead"],
        references=rows["reference"],
    )
    lease = newest_lease(storage)
    driver = _driver(lease)
    rate, eta = _pace(storage, newest["samples"], samples, driver)
    return RunStatus(
        run=storage.uri(),
        state=_state(storage, shards, driver),
        fingerprint=manifest.fingerprint,
        candidates=_candidates(manifest, units, len(newest["identities"])),
        samples=samples,
        shards=shards,
        unreadable=broken_units + broken_shards,
        rate=rate,
        eta_s=eta,
        labels=[name for name in _folders(storage, "labels") if storage.exists(f"labels/{name}/calibration.json")],
        models=[name for name in _folders(storage, "models") if storage.exists(f"models/{name}/metrics.json")],
        report=storage.exists("report/index.html"),
        driver=driver,
        lease=lease.holder() if lease is not None and lease.held else "no driver",
    )


def _newest_commits(storage: Storage) -> dict[Kind, dict[int, int]]:
    """Return the highest revision of every committed unit."""
    found: dict[Kind, dict[int, int]] = {"identities": {}, "samples": {}}
    for path in _names(storage, "commits"):
        name = parse_commit_path(path)
        if name is not None:
            kind, number, revision = name
            found[kind][number] = max(found[kind].get(number, 0), revision)
    return found


def _add(storage: Storage, kind: Kind, newest: dict[int, int]) -> tuple[Counter[str], int]:
    """Return the sums of all counts, and how many commits have none that can be read."""
    paths = [commit_path(kind, number, revision) for number, revision in newest.items()]
    # Most shards of a run have the very same counts: each distinct text is parsed once.
    texts: Counter[bytes] = Counter()
    for data in _read(storage, paths):
        match = _COUNTS.search(data)
        texts[match[1] if match else b""] += 1
    total: Counter[str] = Counter()
    unreadable = texts.pop(b"", 0)
    for text, times in texts.items():
        try:
            counts = {str(key): int(value) for key, value in json.loads(text).items()}
        except (ValueError, TypeError):
            unreadable += times
            continue
        for key, value in counts.items():
            total[key] += value * times
    return total, unreadable


def _candidates(manifest: RunManifest, counts: Counter[str], units: int) -> Candidates:
    planned, rejected, dead = candidate_totals(counts)
    return Candidates(
        wanted=manifest.recipe["generate"]["identities"],
        planned=planned,
        accepted=counts["accepted"],
        rejected=rejected,
        dead=dead,
        units=units,
    )


def _driver(lease: LeaseView | None) -> Driver | None:
    if lease is None or lease.record is None:
        return None
    record = lease.record
    return Driver(
        held=lease.held,
        epoch=lease.epoch,
        job=record.job,
        host=record.host,
        pid=record.pid,
        since=record.started,
        last_sign_s=lease.age_s,
        progress=record.progress,
    )


def _state(storage: Storage, shards: Shards, driver: Driver | None) -> str:
    if driver is not None and driver.held:
        return "running"
    return "finished" if shards.done >= shards.planned and storage.exists("dataset.json") else "unfinished"


def _pace(
    storage: Storage, newest: dict[int, int], samples: Samples, driver: Driver | None
) -> tuple[float | None, float | None]:
    """Return rate and ETA: the driver's own while there is one, else how fast the latest shards came and no ETA."""
    if driver is not None and driver.held and driver.progress.get("rate"):
        return driver.progress["rate"], driver.progress.get("eta_s")
    # Shards end roughly in the order of their numbers, so the highest ones are the latest.
    latest = sorted(newest)[-RECENT:]
    times = _modified(storage, [commit_path("samples", number, newest[number]) for number in latest])
    if len(times) < 2 or max(times) <= min(times):
        return None, None
    rate = samples.made / len(newest) * (len(times) - 1) / (max(times) - min(times))
    left = samples.planned - samples.made
    return rate, left / rate if driver is not None and driver.held and rate else None


# Local disks are read without the retries of Storage, which cost more than the reads themselves; whatever fails goes
# through Storage after all, which knows what the error means.


def _names(storage: Storage, folder: str) -> list[str]:
    root = storage.local()
    if root is None:
        return storage.list(folder)
    try:
        with os.scandir(root / folder) as children:
            return [f"{folder}/{child.name}" for child in children]
    except OSError:
        return storage.list(folder)


def _read(storage: Storage, paths: Sequence[str]) -> list[bytes]:
    root = storage.local()
    if root is None:
        return storage.read_many(paths)
    return [_read_local(storage, f"{root}/{path}", path) for path in paths]


def _read_local(storage: Storage, name: str, path: str) -> bytes:
    try:
        handle = os.open(name, os.O_RDONLY)
        try:
            data = os.read(handle, _CHUNK)
        finally:
            os.close(handle)
    except OSError:
        return storage.read(path)
    return data if len(data) < _CHUNK else storage.read(path)


def _modified(storage: Storage, paths: Sequence[str]) -> list[float]:
    root = storage.local()
    if root is None:
        wanted = set(paths)
        return [entry.modified for entry in storage.stat("commits") if entry.path in wanted]
    return [(root / path).stat().st_mtime for path in paths]


def _folders(storage: Storage, folder: str) -> list[str]:
    root = storage.local()
    if root is None:
        return sorted({path.split("/")[1] for path in storage.list(folder) if path.count("/") > 1})
    try:
        return sorted(child.name for child in (root / folder).iterdir() if child.is_dir())
    except OSError:
        return []
