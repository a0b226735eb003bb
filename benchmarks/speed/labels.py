"""Measure peak memory and speed of the label pass over a large synthetic dataset.

`uv run python -m benchmarks.speed.labels --rows 1000000 10000000` prints a table and fails above the bar; `--spatial
costs` labels by costs of every factor, with more bytes a row. Rows are committed like real ones, but without image
bytes, which the pass does not decode. The dataset is made in a process of its own, so that the peak is that of the
label pass alone.

`--columns` measures the part that stays in one process when the shards are read and written by tasks of a cluster:
columns of all samples, check of names, ranks, scale and the cuts that the tasks get. It needs no dataset, so that
`--columns --rows 100000000` takes minutes.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
import pyarrow as pa

from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.manifest import open_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.labels import severities as label_factors
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.rows import REGIONS, SAMPLES, sample_id

BAR_GB = 4.0
DEGRADED, REFERENCES = 20, 2
IDENTITIES_PER_SHARD = 250


def config(folder: str, rows: int, spatial: str = "ranks") -> RunConfig:
    """Return the config of a run with at least so many degraded samples, in shards of 5,000 of them."""
    return RunConfig.model_validate(
        {
            "run": {"url": folder},
            "label": {"name": spatial, "spatial": spatial},
            "generate": {
                "identities": -(-rows // DEGRADED),
                "identities_per_shard": IDENTITIES_PER_SHARD,
                "references": REFERENCES,
                "degraded": DEGRADED,
            },
        }
    )


def shard(identities: range) -> pa.Table:
    """Return the rows of one shard: seeded components and factors, a quarter of s and b tied at 1, no image bytes."""
    kinds = [("reference", n) for n in range(REFERENCES)] + [("degraded", n) for n in range(DEGRADED)]
    owner = np.repeat(np.arange(identities.start, identities.stop), len(kinds))
    count = len(owner)
    random = np.random.default_rng(identities.start)
    columns = {
        "sample_id": [sample_id(identity, *kind) for identity in identities for kind in kinds],
        "identity": owner,
        "kind": [kind for kind, _ in kinds] * len(identities),
        "index": np.tile([index for _, index in kinds], len(identities)),
        "measured_yaw": random.normal(0, 28, count),
        "downsample": np.maximum(1, random.uniform(0.8, 1.6, count)),
        "blur": np.maximum(1, random.uniform(0.8, 1.6, count)),
        "recognition": random.uniform(-0.2, 1, count),
        "vision_language": random.uniform(0, 0.5, count),
        "occluded_regions": [dict.fromkeys(REGIONS, share) for share in random.uniform(-1, 1, count).clip(0)],
    }
    factors = (name for name in label_factors.COLUMNS if name not in columns)
    # Larger than a recipe allows (strengths end at 1): the time of a pass does not depend on values.
    columns |= {name: random.uniform(1, 20, count).astype(np.int32) for name in factors}
    made = [pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(count, f.type) for f in SAMPLES]
    return pa.Table.from_arrays(made, schema=SAMPLES)


def make(folder: str, rows: int) -> None:
    """Commit the dataset."""
    run, storage = config(folder, rows), Storage(folder)
    store = ShardStore(storage, open_run(storage, run, {}).fingerprint)
    for number, start in enumerate(range(0, run.generate.identities, IDENTITIES_PER_SHARD)):
        identities = range(start, min(start + IDENTITIES_PER_SHARD, run.generate.identities))
        table = shard(identities)
        degraded = len(identities) * DEGRADED
        counts = {"planned": table.num_rows, "accepted": table.num_rows, "rejected": 0, "dead": 0}
        counts |= {"reference": table.num_rows - degraded, "degraded": degraded}
        store.commit("samples", number, table, counts)


def label(folder: str, rows: int, spatial: str) -> None:
    """Run the pass and print its time and memory as JSON; memory before it is that of the imports."""
    from synfiqa.fiqa_train.labels.label_pass import run_label

    run = config(folder, rows, spatial)
    before, start = _peak_gb(), time.perf_counter()
    summary = run_label(run, Storage(folder), lambda done, planned: None)
    seconds = time.perf_counter() - start
    print(json.dumps({"rows": summary["samples"], "seconds": seconds, "peak_gb": _peak_gb(), "import_gb": before}))


def columns(rows: int) -> None:
    """Fit a scale to columns of so many samples and print time and memory as JSON."""
    from synfiqa.fiqa_train.labels.columns import ShardRows, shard_rows
    from synfiqa.fiqa_train.labels.fusion import Components
    from synfiqa.fiqa_train.labels.label_rows import LabelRows

    each = IDENTITIES_PER_SHARD * DEGRADED
    packed = shard_rows(shard(range(rows // DEGRADED, rows // DEGRADED + IDENTITIES_PER_SHARD))).packed
    before, start, random = _peak_gb(), time.perf_counter(), np.random.default_rng(0)
    samples = LabelRows(rows * (DEGRADED + REFERENCES) // DEGRADED)
    for _ in range(rows // each):
        drawn = [random.random(each, np.float32) for _ in range(5)]
        yaw, tied = drawn[2] * 90, [np.maximum(1, 0.8 + 0.8 * column) for column in drawn[3:]]
        hashes = random.integers(0, 2**64, each, np.uint64)
        samples.add(ShardRows(Components(drawn[0], drawn[1] / 2, yaw, *tied), bytes(bytearray(packed)), hashes))
    samples.require_valid()
    section = config("none", rows).label
    scale = samples.fit(section, None)
    sent = sum(samples.shard(index).packed is not None for index in range(rows // each))
    seconds = time.perf_counter() - start
    assert (sent, scale.samples) == (rows // each, rows)
    print(json.dumps({"rows": rows, "seconds": seconds, "peak_gb": _peak_gb(), "import_gb": before}))


def _peak_gb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def _child(step: str, folder: str, rows: int, spatial: str) -> str:
    command = [sys.executable, "-m", "benchmarks.speed.labels", "--rows", str(rows), "--step", step, "--folder", folder]
    command += ["--spatial", spatial]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Make and label a dataset of every size, and compare the largest peak with the bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--step", choices=["make", "label", "columns"], help="one step alone, on --folder")
    parser.add_argument("--folder", help="keep the datasets here and use those that exist")
    parser.add_argument("--spatial", choices=["ranks", "costs"], default="ranks", help="label.spatial")
    parser.add_argument("--columns", action="store_true", help="columns and ranks alone, without a dataset")
    options = parser.parse_args()
    if options.step:
        rows = options.rows[0]
        if options.step == "columns":
            columns(rows)
        else:
            make(options.folder, rows) if options.step == "make" else label(options.folder, rows, options.spatial)
        return
    peaks = []
    print(f"{'rows':>11} {'imports':>9} {'peak':>9} {'bytes/row':>9} {'time':>8} {'rows/s':>9}")
    with tempfile.TemporaryDirectory(prefix="synfiqa-bench-", dir=options.folder) as folder:
        for rows in options.rows:
            if not options.columns:
                _child("make", f"{folder}/{rows}", rows, options.spatial)
            step = "columns" if options.columns else "label"
            result = json.loads(_child(step, f"{folder}/{rows}", rows, options.spatial))
            own = (result["peak_gb"] - result["import_gb"]) * 1e9 / result["rows"]
            print(
                f"{result['rows']:>11,} {result['import_gb']:>6.2f} GB {result['peak_gb']:>6.2f} GB {own:>9.0f} "
                f"{result['seconds']:>6.1f} s {result['rows'] / result['seconds']:>9,.0f}",
                flush=True,
            )
            peaks.append(result["peak_gb"])
    print(f"bar {BAR_GB:g} GB: {'met' if max(peaks) <= BAR_GB else 'MISSED'} ({os.cpu_count()} cores)")
    sys.exit(max(peaks) > BAR_GB)


if __name__ == "__main__":
    main()
