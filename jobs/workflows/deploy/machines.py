"""Files of Slurm, SkyPilot and `ray up`."""

import json
import shlex

import yaml

from synfiqa.cluster.ray_cluster.autoscaler import MOST_NODES
from synfiqa.jobs.workflows.deploy.fill import config_text, fill, indent, name_of
from synfiqa.jobs.workflows.deploy.needs import NodeKind, most_nodes_text
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError

DRAIN_S = 90
"""Seconds of drain on AWS, which gives a notice of 120."""
ACCELERATORS = "L4"
"""GPU of SkyPilot where none is named by `ray.io/accelerator-type` in `placement.labels`."""
GPU_INSTANCE, CPU_INSTANCE = "g6.2xlarge", "m6i.2xlarge"
"""AWS machines with one L4 or none, 8 virtual CPUs and 32 GiB."""


def render_slurm(config: RunConfig, kinds: list[NodeKind], image: str) -> str:
    """Return a batch script that starts one Ray over all nodes of the job and requeues itself when preempted."""
    kind = _only(kinds, "slurm")
    return fill(
        "slurm/synfiqa.sbatch",
        {
            **_common(config, kind, image),
            "config": config_text(config).rstrip("\n"),
            "memory": f"{kind.memory_gib}G",
            "gpus": f"\n#SBATCH --gpus-per-node={kind.gpus}" if kind.gpus else "",
        },
    )


def render_skypilot(config: RunConfig, kinds: list[NodeKind], image: str) -> str:
    """Return a task for `sky jobs launch`, on spot machines."""
    kind = _only(kinds, "skypilot")
    return fill(
        "skypilot/task.yaml",
        {
            **_common(config, kind, image),
            "config": indent(config_text(config), 2),
            "memory_gb": kind.memory_gib,
            "accelerators": f"accelerators: {{{ACCELERATORS}: {kind.gpus}}}" if kind.gpus else "# no GPU",
        },
    )


def render_ray_up(config: RunConfig, kinds: list[NodeKind], image: str) -> str:
    """Return a cluster for `ray up` on AWS: a head without work, and a type of spot worker for each kind of node."""
    types = "\n".join(
        fill(
            "ray-up/worker-type.yaml",
            {
                "group": kind.name.replace("-", "_"),
                "why": "\n# ".join(kind.why),
                "instance": GPU_INSTANCE if kind.gpus else CPU_INSTANCE,
                "cpus": kind.cpus,
                "gpu": f", GPU: {kind.gpus}" if kind.gpus else "",
                "nodes": kind.nodes,
                "labels": f"\n  labels: {_flow(dict(kind.labels))}" if kind.labels else "",
            },
        ).rstrip("\n")
        for kind in kinds
    )
    most = sum(kind.nodes for kind in kinds)
    common = _common(config, kinds[0], image) | {"nodes": most, "drain": DRAIN_S, "types": indent(types, 2)}
    # `ray up` puts it into a shell command, YAML around it.
    common["most_nodes"] = json.dumps(f"--env={MOST_NODES}={shlex.quote(most_nodes_text(kinds))}")
    return fill("ray-up/cluster.yaml", common)


def _only(kinds: list[NodeKind], target: str) -> NodeKind:
    if len(kinds) > 1:
        names = ", ".join(kind.name for kind in kinds)
        raise UserError(
            f"--target {target} has nodes of one kind, and placement.labels ask for {len(kinds)} ({names}): leave the "
            "labels out, or use --target kuberay or ray-up"
        )
    return kinds[0]


def _common(config: RunConfig, kind: NodeKind, image: str) -> dict[str, object]:
    return {
        "name": name_of(config.run.url),
        "image": image,
        "nodes": kind.nodes,
        "cpus": kind.cpus,
        "object_store": kind.object_store_mb * 1024 * 1024,
        "run": shlex.quote(config.run.url),
    }


def _flow(tree: dict[str, str]) -> str:
    return str(yaml.safe_dump(tree, default_flow_style=True)).strip()
