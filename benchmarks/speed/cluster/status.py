"""Measure `synfiqa status` against bare listing and reading of the same commits, on a local folder in one process.

`uv run python -m benchmarks.speed.cluster.status --shards 10000` prints seconds of each and the ratio; it exits with 1
above the bar. Bare means `os.scandir` and one `open().read()` an object, without any retry, check or parsing.
"""

import argparse
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from synfiqa.cluster.commits.shard_store import ShardStore, commit_path
from synfiqa.cluster.run.manifest import open_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.status import read_status
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.manifest import Commit, DataFile

BAR = 1.5
BAR_S = 3.0


def make_run(folder: Path, shards: int) -> tuple[Storage, ShardStore]:
    """Make a run of so many committed shards, without data files, which status does not read."""
    storage = Storage(str(folder))
    config = RunConfig.model_validate({"generate": {"identities": 8 * shards, "identities_per_shard": 8}})
    store = ShardStore(storage, open_run(storage, config, {}).fingerprint)
    (folder / "commits").mkdir()
    for number in range(shards):
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        rows = 192 - number % 3
        commit = Commit(
            kind="samples",
            number=number,
            file=DataFile(path=f"samples/shard-{number:06d}-{digest[:12]}.parquet", sha256=digest, bytes=1, rows=rows),
            content_sha256=digest,
            counts={
                "planned": 192,
                "accepted": rows,
                "rejected": 0,
                "dead": 192 - rows,
                "reference": 32,
                "degraded": rows - 32,
            },
            fingerprint=store.fingerprint,
            provenance={"node": "node-1", "process": str(number), "conditional_generator": "12.345"},
        )
        (folder / commit_path("samples", number)).write_bytes(commit.model_dump_json(indent=1).encode() + b"\n")
    return storage, store


def bare(folder: Path) -> int:
    """List and read the commits without parsing."""
    with os.scandir(folder / "commits") as children:
        names = sorted(child.path for child in children)
    total = 0
    for name in names:
        with open(name, "rb") as file:  # noqa: PTH123
            total += len(file.read())
    return total


def median_ratio(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> tuple[float, float, float]:
    """Return median seconds of both and the median of their ratios, measured alternately against other load."""
    pairs = []
    for _ in range(rounds):
        start = time.perf_counter()
        theirs()
        middle = time.perf_counter()
        ours()
        pairs.append((time.perf_counter() - middle, middle - start))
    ratios = sorted(mine / other for mine, other in pairs)
    mine, other = sorted(pair[0] for pair in pairs), sorted(pair[1] for pair in pairs)
    return mine[rounds // 2], other[rounds // 2], ratios[rounds // 2]


def main() -> None:
    """Make the run, check the result of status, and time both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="synfiqa-bench-") as temporary:
        folder = Path(temporary) / "run"
        storage, store = make_run(folder, options.shards)
        status = read_status(storage)
        dead = sum(number % 3 for number in range(options.shards))
        assert status.shards.done == options.shards
        assert (status.samples.made, status.samples.dead) == (192 * options.shards, dead)
        seconds, base, ratio = median_ratio(lambda: read_status(storage), lambda: bare(folder), options.rounds)
        models, _, as_models = median_ratio(lambda: store.committed("samples"), lambda: bare(folder), 3)
    print(f"{'bare listing and reading':<28} {base:8.3f} s")
    print(f"{'status':<28} {seconds:8.3f} s   {ratio:5.2f} x bare (bar {BAR} x, {BAR_S:g} s)")
    print(f"{'all commits as models':<28} {models:8.3f} s   {as_models:5.2f} x bare")
    sys.exit(0 if ratio <= BAR and seconds <= BAR_S else 1)


if __name__ == "__main__":
    main()
