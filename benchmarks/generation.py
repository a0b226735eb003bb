"""The sample half through Ray against the same stages in a bare loop, on the same shards, in one run.

`uv run python -m benchmarks.generation --shards 6` prints milliseconds per image and stage, and the ratio.
"""

import argparse
import os
import tempfile
import time
from dataclasses import replace

import torch

from actors.annotator import AnnotatorStage
from actors.conditional_generator import ConditionalGeneratorStage
from actors.identity_reader import IdentityReaderStage
from actors.shard_writer import ShardWriterStage
from cluster.lease import hold
from cluster.pipeline import stream
from cluster.ray_session import cluster_resources, ray_session
from cluster.run_folder import open_run, planned_shards
from cluster.shard_store import ShardStore
from cluster.stage import Stage, Work
from cluster.storage import Storage
from jobs.identity_half import IdentityHalf
from jobs.sample_half import plan_shards
from jobs.stages import Stages
from schemas.config import RunConfig


def sample_stages(config: RunConfig, target: Storage, fingerprint: str) -> list[Stage]:
    """The stages of the sample half, writing to a run folder of their own."""
    return [
        IdentityReaderStage(Storage(config.run.url), fingerprint),
        ConditionalGeneratorStage(config),
        AnnotatorStage(config),
        ShardWriterStage(target, fingerprint, config.storage.format),
    ]


def bare_loop(stages: list[Stage], units: list[Work]) -> dict[str, float]:
    """Seconds per stage of a loop in this process, models loaded before the clock starts."""
    torch.set_num_threads(1)
    for stage in stages:
        stage.setup()
    seconds = dict.fromkeys((stage.name for stage in stages), 0.0)
    for unit in units:
        work = unit
        for stage in stages:
            start = time.perf_counter()
            work = replace(stage.process(work), busy={})
            seconds[stage.name] += time.perf_counter() - start
    return seconds


def main() -> None:
    """Make the identities once, then time both ways over the same shards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=6)
    shards = parser.parse_args().shards
    folder = tempfile.mkdtemp(prefix="synfiqa-bench-")
    config = RunConfig.model_validate(
        {
            "run": {"url": f"{folder}/identities"},
            "generate": {"identities": 4 * shards, "identities_per_shard": 4, "degraded": 20},
        }
    )
    storage = Storage(config.run.url)
    with ray_session():
        manifest = open_run(storage, config, {})
        store = ShardStore(storage, manifest.fingerprint)
        with hold(storage, config.resilience.lease_s, job="generate") as lease:
            IdentityHalf(config, store, Stages(), lease).make()
        units = list(plan_shards(config, store.committed("identities").values(), planned_shards(manifest)))
        images = 24 * 4 * len(units)
        loop = bare_loop(sample_stages(config, Storage(f"{folder}/loop"), manifest.fingerprint), units)
        stages = sample_stages(config, Storage(f"{folder}/ray"), manifest.fingerprint)
        start, first = time.perf_counter(), None
        for _ in stream(stages, units, storage, config.placement):
            first = first or time.perf_counter() - start
        wall = time.perf_counter() - start
        workers = min(cluster_resources()[0], len(units))
    for name, seconds in loop.items():
        print(f"{name:<24} {1000 * seconds / images:8.2f} ms per image in the loop")
    total = sum(loop.values())
    print(f"{'loop':<24} {1000 * total / images:8.2f} ms per image on one core")
    pipeline = 1000 * wall * workers / images
    print(f"{'pipeline':<24} {pipeline:8.2f} core-ms per image on {workers:g} workers, start included")
    print(f"pipeline / loop {wall * workers / total:.3f}, first shard after {first:.1f} s, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
