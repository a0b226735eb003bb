"""Command `deploy`: print the manifest of a cluster manager for a config."""

import argparse
import sys

from synfiqa.jobs.command import Command, CommandGroup, option
from synfiqa.jobs.options import CONFIG, config_of, local_path, positive
from synfiqa.jobs.workflows.deploy.targets import CLOUDS, TARGETS

RENDER = (
    *CONFIG,
    option("--target", required=True, choices=TARGETS, help="cluster manager"),
    option("--image", metavar="IMAGE", help="container image; its tag is the version (default: synfiqa:VERSION)"),
    option("--calibration", metavar="FILE", help="memory of stages, written by `synfiqa calibrate --out`"),
    option("--nodes", type=positive, default=0, metavar="N", help="most nodes of a kind (default: by the config)"),
    option("--cpus", type=positive, default=0, metavar="N", help="CPUs of a node (default: 8)"),
    option("--kind", choices=("job", "cluster"), default="job", help="kuberay: RayJob, or RayCluster that stays"),
    option(
        "--cloud",
        choices=tuple(CLOUDS),
        default="",
        help="kuberay: workers on spot nodes of this provider (default: any node)",
    ),
    option("--secret", default="", metavar="NAME", help="kuberay: Secret with the store's credentials"),
    option("--service-account", default="", metavar="NAME", help="kuberay: ServiceAccount with a role on the store"),
    option("--queue", default="", metavar="NAME", help="kuberay: LocalQueue of Kueue"),
)


def render(options: argparse.Namespace) -> None:
    """Print the file to standard output."""
    config = config_of(options)
    from synfiqa.jobs.workflows.deploy.kuberay import Around
    from synfiqa.jobs.workflows.deploy.manifests import render as rendered

    around = Around(options.cloud, options.secret, options.service_account, options.queue, options.kind)
    calibration = local_path(options.calibration, "--calibration is read here") if options.calibration else None
    more = {"calibration": calibration, "nodes": options.nodes, "cpus": options.cpus, "around": around}
    sys.stdout.write(rendered(options.target, config, image=options.image, **more))


def monitoring(options: argparse.Namespace) -> None:
    """Print alerts and dashboard as objects of Kubernetes to standard output."""
    from synfiqa.jobs.workflows.deploy.monitoring import monitoring_manifest

    sys.stdout.write(monitoring_manifest())


COMMAND = CommandGroup(
    "deploy",
    "print manifests of KubeRay, Slurm, SkyPilot and ray up for a config, and of alerts and dashboard",
    (
        Command("render", "print the file of a cluster manager to standard output", RENDER, render),
        Command("monitoring", "print alerts and dashboard for Kubernetes to standard output", (), monitoring),
    ),
)


if __name__ == "__main__":
    COMMAND.main()
