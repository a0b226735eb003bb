"""A generate or replay job over stub stages, as a process of its own: `python -m tests.chaos.driver '{"url": ...}'`.

Everything but the stages is production code, down to messages and exit codes.
"""

import json
import sys
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.stub_stages import Trouble, stub_stages

MODELS = {"stub": "0" * 64}


@dataclass(frozen=True)
class Order:
    """Order for a driver: run URL, settings and trouble."""

    url: str
    settings: dict[str, Any] = field(default_factory=dict)
    trouble: dict[str, Any] = field(default_factory=dict)
    replay: bool = False


def config_of(order: Order):
    """Return the run config of an order: 24 identities in 12 shards of 16 samples, in units of 6 candidates."""
    from synfiqa.schemas.config.run import RunConfig

    tree = {
        "run": {"url": order.url, "seed": 5},
        "generate": {
            "identities": 24,
            "candidates_per_unit": 6,
            "identities_per_shard": 2,
            "references": 3,
            "degraded": 5,
            "micro_batch": 4,
        },
        "resilience": {"max_attempts": 20, "max_dead_rate": 0.25, "lease_s": 4, "probe_s": 0, "retry_budget_s": 90},
    }
    for section, values in order.settings.items():
        tree[section] = {**tree.get(section, {}), **values}
    return RunConfig.model_validate(tree)


def run(order: Order) -> None:
    """Run the job on the cluster of RAY_ADDRESS."""
    from synfiqa.actors.model_store.resolved_run import VerifiedWeights
    from synfiqa.cluster.pipeline.ray_session import ray_session
    from synfiqa.cluster.run.generations import current
    from synfiqa.jobs.generation import dataset as generate
    from synfiqa.jobs.generation import readiness as check

    check.verify_weights = lambda run: VerifiedWeights({}, MODELS)
    config = config_of(order)
    stages = stub_stages(Trouble(**order.trouble))
    with ray_session():
        storage = current(config.run.url, config.resilience.retry_budget_s)
        summary = generate.run_generate(config, storage, replay=order.replay, stages=stages)
    sys.stdout.write(summary.model_dump_json() + "\n")


if __name__ == "__main__":
    from synfiqa.jobs.command import run_command

    tree = json.loads(sys.argv[1])
    sys.exit(run_command(lambda: run(Order(**tree))))
