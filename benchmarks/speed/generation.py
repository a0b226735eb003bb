"""Measure the sample half through Ray against the same stages in a bare loop, on the same shards in one run.

`uv run python -m benchmarks.speed.generation --shards 6` prints milliseconds per image and stage, and the ratios: with
the start of Ray and of its workers, and steady, which is from the first shard to the last. `--config
configs/paper-tiny.yaml --workers 1` measures the generative chain.
"""

import argparse
import os
import tempfile
import time
from dataclasses import replace

import torch

from synfiqa.actors.model_store.resolved_run import ResolvedRun, resolve, verify_weights
from synfiqa.actors.stages.annotator import AnnotatorStage
from synfiqa.actors.stages.conditional_generator import ConditionalGeneratorStage
from synfiqa.actors.stages.identity_reader import IdentityReaderStage
from synfiqa.actors.stages.shard_writer import ShardWriterStage
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.pipeline.ray_session import cluster_resources, ray_session
from synfiqa.cluster.pipeline.stage import Stage, Work
from synfiqa.cluster.pipeline.stream import stream
from synfiqa.cluster.run.lease import hold
from synfiqa.cluster.run.manifest import open_run, planned_shards
from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.config import load_config
from synfiqa.jobs.generation.identity_half import IdentityHalf
from synfiqa.jobs.generation.sample_half import plan_shards
from synfiqa.jobs.generation.stages import Stages
from synfiqa.schemas.config.run import RunConfig


def sample_stages(run: ResolvedRun, target: Storage, fingerprint: str) -> list[Stage]:
    """Return the stages of the sample half, writing to a run folder of their own."""
    return [
        IdentityReaderStage(Storage(run.config.run.url), fingerprint),
        ConditionalGeneratorStage(run),
        AnnotatorStage(run),
        ShardWriterStage(target, fingerprint, run.config.storage.format),
    ]


def bare_loop(stages: list[Stage], units: list[Work]) -> list[dict[str, float]]:
    """Measure seconds per unit and stage of a loop in this process, after loading the models."""
    torch.set_num_threads(1)
    for stage in stages:
        stage.setup()
    taken = []
    for unit in units:
        work, seconds = unit, {}
        for stage in stages:
            start = time.perf_counter()
            work = replace(stage.process(work), busy={})
            seconds[stage.name] = time.perf_counter() - start
        taken.append(seconds)
    return taken


def config_for(options: argparse.Namespace, folder: str) -> RunConfig:
    """Return the config of `--config`, or one with rendered heads like the quickstart's, with so many shards."""
    if options.config:
        tree = load_config(options.config).model_dump()
        tree["run"]["url"] = f"{folder}/identities"
        tree["generate"]["identities"] = tree["generate"]["identities_per_shard"] * options.shards
    else:
        generate = {"identities": 4 * options.shards, "identities_per_shard": 4, "degraded": 20}
        tree = {"run": {"url": f"{folder}/identities"}, "generate": generate}
    tree["placement"] = {"mode": "fused", "workers": options.workers}
    return RunConfig.model_validate(tree)


def main() -> None:
    """Make the identities once, then time both variants on the same shards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=6, help="number of shards, 2 at least")
    parser.add_argument("--config", help="run config instead of rendered heads")
    parser.add_argument("--workers", type=int, default=0, help="number of workers; 0: one a core")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="synfiqa-bench-")
    config = config_for(options, folder)
    storage, run = Storage(config.run.url), resolve(config)
    with ray_session():
        manifest = open_run(storage, config, verify_weights(run).digests, cards=run.cards)
        store = ShardStore(storage, manifest.fingerprint)
        with hold(storage, config.resilience.lease_s, job="generate") as lease:
            IdentityHalf(run, store, Stages(), lease).make()
        units = list(plan_shards(config, store.committed("identities").values(), planned_shards(manifest)))
        generate = config.generate
        images = (generate.references + generate.degraded) * generate.identities_per_shard * len(units)
        loop = bare_loop(sample_stages(run, Storage(f"{folder}/loop"), manifest.fingerprint), units)
        stages = sample_stages(run, Storage(f"{folder}/ray"), manifest.fingerprint)
        start = time.perf_counter()
        ends = [time.perf_counter() - start for _ in stream(stages, units, storage, config.placement)]
        workers = min(options.workers or cluster_resources()[0], len(units))
    for name in loop[0]:
        print(f"{name:<24} {1000 * sum(unit[name] for unit in loop) / images:8.2f} ms per image in the loop")
    totals = [sum(unit.values()) for unit in loop]
    print(f"{'loop':<24} {1000 * sum(totals) / images:8.2f} ms per image on one core")
    pipeline = 1000 * ends[-1] * workers / images
    print(f"{'pipeline':<24} {pipeline:8.2f} core-ms per image on {workers:g} workers, start included")
    steady = (ends[-1] - ends[0]) * workers / (sum(totals) * (len(units) - 1) / len(units))
    print(f"pipeline / loop {ends[-1] * workers / sum(totals):.3f}, steady {steady:.3f}")
    print(f"first shard after {ends[0]:.1f} s, {len(units)} shards, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
