"""Growth of a run: records that it wants more identities, `growth/000001.json` and so on, beside an unchanged run.json.

The fingerprint stays that of the first number, since commits carry it. What a unit or shard holds in each revision
follows from it and from the growths so far, so that drivers from before a growth commit nothing else.
"""

import os
import re
import socket
from collections.abc import Iterable
from datetime import UTC, datetime

from pydantic import ValidationError

from synfiqa.cluster.run.fingerprint import library_version
from synfiqa.cluster.run.lease import Lease, require_held
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.manifest import Commit, Growth, RunManifest

_PATH = re.compile(r"growth/(\d{6})\.json")


def growth_path(number: int) -> str:
    """Return the path of a growth record, numbered from 1."""
    return f"growth/{number:06d}.json"


def read_growth(storage: Storage) -> tuple[Growth, ...]:
    """Return the growths of a run, oldest first; UserError when one is missing, damaged or does not follow."""
    numbers = sorted(int(match[1]) for path in storage.list("growth") if (match := _PATH.fullmatch(path)))
    records: list[Growth] = []
    for number in range(1, max(numbers, default=0) + 1):
        path = growth_path(number)
        try:
            record = Growth.model_validate_json(storage.read(path))
        except (FileNotFoundError, ValidationError) as error:
            raise UserError(f"{storage.uri(path)} is missing or not readable; restore it from a copy") from error
        if records and record.before != records[-1].identities:
            raise UserError(
                f"{storage.uri(path)} does not go on from {records[-1].identities} identities; restore it from a copy"
            )
        records.append(record)
    return tuple(records)


def grow(storage: Storage, manifest: RunManifest, identities: int, lease: Lease | None = None) -> RunManifest:
    """Record that the run wants so many identities, and return its manifest with all growths; the same where it does.

    UserError when it wants more by now, RunHeld when the run was taken over from `lease`.
    """
    while True:
        manifest = manifest.model_copy(update={"growth": read_growth(storage)})
        if manifest.identities == identities:
            return manifest
        if manifest.identities > identities:
            raise UserError(
                f"{storage.uri()} has grown to {manifest.identities} identities and never shrinks to {identities}; "
                f"set generate.identities={manifest.identities}"
            )
        record = Growth(
            before=manifest.identities,
            identities=identities,
            by=f"{socket.gethostname()} pid {os.getpid()}",
            code_version=library_version("synfiqa"),
            grown=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        require_held(lease)
        # Where another driver has made this record, the next turn goes on from it.
        storage.create(growth_path(len(manifest.growth) + 1), record.model_dump_json(indent=1).encode() + b"\n")


def planned_identities(commit: Commit, manifest: RunManifest) -> int:
    """Return how many identities a shard was planned to hold: by its counts at a step of the run, else at the latest.

    An earlier revision, and the shard of an unfinished growth, hold those of an earlier step.
    """
    generate = manifest.recipe["generate"]
    size, each = generate["identities_per_shard"], generate["references"] + generate["degraded"]
    widths = [min(size, step - commit.number * size) for step in manifest.steps]
    return next((width for width in widths if width * each == commit.counts.get("planned")), widths[-1])


def unfilled(shards: Iterable[Commit], manifest: RunManifest) -> list[int]:
    """Return the numbers of the committed shards that lack identities of a growth."""
    size = manifest.recipe["generate"]["identities_per_shard"]
    return [
        commit.number
        for commit in shards
        if planned_identities(commit, manifest) < min(size, manifest.identities - commit.number * size)
    ]
