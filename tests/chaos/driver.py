"""A job over stub stages, as a process of its own: `python -m tests.chaos.driver '{"url": ...}'`.

Everything but the stages is production code, down to messages and exit codes; only the patience with nodes that are
lost is shorter.
"""

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.stub_stages import Trouble, stub_stages

MODELS = {"stub": "0" * 64}
UNIT = 6
"""Candidates of a unit."""
LOST_S = 12.0
"""Seconds, in place of 45, after which a run makes do with the nodes that are left."""
LEASE_S = 4


@dataclass(frozen=True)
class Order:
    """Order for a driver: run URL, settings, trouble, and the job."""

    url: str
    settings: dict[str, Any] = field(default_factory=dict)
    trouble: dict[str, Any] = field(default_factory=dict)
    replay: bool = False
    job: str = "generate"


def config_of(order: Order):
    """Return the run config of an order: 24 identities in 12 shards of 16 samples, in units of 6 candidates."""
    from synfiqa.schemas.config.run import RunConfig

    tree = {
        "run": {"url": order.url, "seed": 5},
        "generate": {
            "identities": 24,
            "candidates_per_unit": UNIT,
            "identities_per_shard": 2,
            "references": 3,
            "degraded": 5,
            "micro_batch": 4,
        },
        "resilience": {
            "max_attempts": 20,
            "max_dead_rate": 0.25,
            "lease_s": LEASE_S,
            "probe_s": 0,
            "retry_budget_s": 90,
        },
    }
    for section, values in order.settings.items():
        tree[section] = {**tree.get(section, {}), **values}
    return RunConfig.model_validate(tree)


def generate(order: Order) -> None:
    """Run a generate or replay job on the cluster of RAY_ADDRESS."""
    from synfiqa.actors.model_store.resolved_run import VerifiedWeights
    from synfiqa.cluster.pipeline import waits
    from synfiqa.cluster.pipeline.layout import resizing
    from synfiqa.cluster.pipeline.ray_session import ray_session
    from synfiqa.cluster.run.generations import current
    from synfiqa.jobs.generation import dataset
    from synfiqa.jobs.generation import readiness as check

    waits.LAY_OUT_ANEW_S = resizing.EXCHANGE_S = LOST_S
    check.verify_weights = lambda run: VerifiedWeights({}, MODELS)
    config = config_of(order)
    stages = stub_stages(Trouble(**order.trouble))
    with ray_session():
        storage = current(config.run.url, config.resilience.retry_budget_s)
        summary = dataset.run_generate(config, storage, replay=order.replay, stages=stages)
    sys.stdout.write(summary.model_dump_json() + "\n")


def label(order: Order) -> None:
    """Run a label job that pauses at each step and notes it in the log."""
    from synfiqa.fiqa_train.labels.label_pass import run_label
    from synfiqa.jobs.options import config_of_run, held, storage_of

    config = config_of_run(order.url, [f"resilience.lease_s={LEASE_S}"])
    storage = storage_of(config)
    with held(config, storage, "label") as lease:
        run_label(config, storage, lambda done, _: _pause(order, done), lease=lease)


def train(order: Order) -> None:
    """Run a train job on the cluster of RAY_ADDRESS that notes each epoch in the log."""
    from synfiqa.cluster.pipeline.ray_session import ray_session
    from synfiqa.fiqa_train.training.train_run import run_train
    from synfiqa.jobs.options import config_of_run, held, storage_of

    config = config_of_run(order.url, [f"resilience.lease_s={LEASE_S}"])
    storage = storage_of(config)
    with ray_session(), held(config, storage, "train") as lease:
        _pause(order, 0)
        run_train(config, storage, lambda done, _: _pause(order, done), lease=lease)


def _pause(order: Order, done: int) -> None:
    trouble = Trouble(**order.trouble)
    with Path(trouble.log).open("a") as file:
        file.write(f"{order.job} step {done}\n")
    time.sleep(trouble.seconds)


JOBS = {"generate": generate, "label": label, "train": train}


if __name__ == "__main__":
    from synfiqa.jobs.command import run_command

    order = Order(**json.loads(sys.argv[1]))
    sys.exit(run_command(lambda: JOBS[order.job](order)))
