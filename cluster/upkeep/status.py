"""Status of a run, read from its folder alone, without a cluster and without changing anything.

Status is called often, so it parses only the counts of each commit: reading 10,000 commits as models takes four times
as long as reading their bytes. `synfiqa verify` checks the commits as a whole.
"""

import json
import re
from collections import Counter
from typing import Any

from pydantic import Field

from synfiqa.cluster.commits.dataset_summary import candidate_totals, rejected_by_reason
from synfiqa.cluster.commits.shard_store import Kind, commit_path, parse_commit_path
from synfiqa.cluster.run.events import FOLDER as EVENTS
from synfiqa.cluster.run.file_roles import REPORT, role_of
from synfiqa.cluster.run.lease_record import LeaseView, newest_lease
from synfiqa.cluster.run.manifest import load_run, planned_shards
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.status_reads import file_names, read_commits, subfolders, times_of
from synfiqa.cluster.upkeep.utilisation import RunTrace
from synfiqa.schemas.manifest import Record, RunManifest

RECENT = 64
"""Number of the latest commits from which the rate is computed without a driver."""

_COUNTS = re.compile(rb'"counts"\s*:\s*(\{[^{}]*\})')


class Candidates(Record):
    """Counts of the identity half; planned = accepted + rejected + dead, `wanted` is the target of accepted."""

    wanted: int
    planned: int
    accepted: int
    rejected: dict[str, int]
    dead: int
    units: int


class Samples(Record):
    """Counts of the sample half; `made` of `planned` rows are finished, made = accepted + rejected + dead."""

    planned: int
    made: int
    accepted: int
    rejected: dict[str, int]
    dead: int
    references: int


class Shards(Record):
    """Counts of output shards: planned, and committed as `done`."""

    planned: int
    done: int


class Driver(Record):
    """Driver that holds the run, or held it last."""

    held: bool
    epoch: int
    job: str
    host: str
    pid: int
    since: str
    last_sign_s: float | None = Field(description="seconds since the last heartbeat, by the store's clock")
    progress: dict[str, Any]


class RunStatus(Record):
    """Status of a run at one moment."""

    run: str
    state: str = Field(description="running, finished, or unfinished: submit the same command to go on")
    fingerprint: str
    candidates: Candidates
    samples: Samples
    shards: Shards
    unreadable: int = Field(description="commits whose counts are not readable; `synfiqa verify` names them")
    events: int = Field(description="failures of workers that `events/` keeps")
    rate: float | None = Field(
        description="recent samples per second, or units per second of the driver's current phase"
    )
    eta_s: float | None
    labels: list[str]
    models: list[str]
    report: bool
    reports: list[str] = Field(description="paths of the reports in the run folder, one a label pass")
    driver: Driver | None
    lease: str = Field(description="the driver as text")
    trace: RunTrace | None = Field(None, description="use of stages and GPUs, when requested")


def read_status(storage: Storage) -> RunStatus:
    """Return the status of a run; UserError when the folder is no run folder."""
    manifest = load_run(storage)
    newest = _newest_commits(storage)
    units, broken_units = _sum_counts(storage, "identities", newest["identities"])
    rows, broken_shards = _sum_counts(storage, "samples", newest["samples"])
    generate = manifest.recipe["generate"]
    shards = Shards(planned=planned_shards(manifest), done=len(newest["samples"]))
    samples = Samples(
        planned=manifest.identities * (generate["references"] + generate["degraded"]),
        made=rows["planned"],
        accepted=rows["accepted"],
        rejected=rejected_by_reason(rows),
        dead=rows["dead"],
        references=rows["reference"],
    )
    lease = newest_lease(storage)
    driver = _driver(lease)
    reports = sorted(path for path in file_names(storage, "report") if REPORT.fullmatch(path))
    rate, eta = _rate_and_eta(storage, newest["samples"], samples, driver)
    return RunStatus(
        run=storage.uri(),
        # A growth within the last shard changes no number of shards.
        state=_state(storage, shards, driver, filled=not manifest.growth or samples.made >= samples.planned),
        fingerprint=manifest.fingerprint,
        candidates=_candidates(manifest, units, len(newest["identities"])),
        samples=samples,
        shards=shards,
        unreadable=broken_units + broken_shards,
        events=sum(role_of(path) == "event" for path in file_names(storage, EVENTS)),
        rate=rate,
        eta_s=eta,
        labels=[name for name in subfolders(storage, "labels") if storage.exists(f"labels/{name}/calibration.json")],
        models=[name for name in subfolders(storage, "models") if storage.exists(f"models/{name}/metrics.json")],
        report=bool(reports),
        reports=reports,
        driver=driver,
        lease=lease.holder() if lease is not None and lease.held else "no driver",
    )


def _newest_commits(storage: Storage) -> dict[Kind, dict[int, int]]:
    """Return the highest revision of every committed unit."""
    found: dict[Kind, dict[int, int]] = {"identities": {}, "samples": {}}
    for path in file_names(storage, "commits"):
        name = parse_commit_path(path)
        if name is not None:
            kind, number, revision = name
            found[kind][number] = max(found[kind].get(number, 0), revision)
    return found


def _sum_counts(storage: Storage, kind: Kind, newest: dict[int, int]) -> tuple[Counter[str], int]:
    """Return the sums of all counts, and the number of commits without readable counts."""
    paths = [commit_path(kind, number, revision) for number, revision in newest.items()]
    # Most shards of a run have equal counts, so each distinct text is parsed once.
    texts: Counter[bytes] = Counter()
    for data in read_commits(storage, paths):
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
        wanted=manifest.identities,
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


def _state(storage: Storage, shards: Shards, driver: Driver | None, *, filled: bool) -> str:
    if driver is not None and driver.held:
        return "running"
    done = filled and shards.done >= shards.planned and storage.exists("dataset.json")
    return "finished" if done else "unfinished"


def _rate_and_eta(
    storage: Storage, newest: dict[int, int], samples: Samples, driver: Driver | None
) -> tuple[float | None, float | None]:
    """Return rate and ETA of the driver that holds the run, else the rate of the latest shards and no ETA."""
    if driver is not None and driver.held and driver.progress.get("rate"):
        return driver.progress["rate"], driver.progress.get("eta_s")
    # Shards are finished roughly in order of number, so the highest ones are the latest.
    latest = sorted(newest)[-RECENT:]
    times = times_of(storage, [commit_path("samples", number, newest[number]) for number in latest])
    if len(times) < 2 or max(times) <= min(times):
        return None, None
    rate = samples.made / len(newest) * (len(times) - 1) / (max(times) - min(times))
    left = samples.planned - samples.made
    return rate, left / rate if driver is not None and driver.held and rate else None
