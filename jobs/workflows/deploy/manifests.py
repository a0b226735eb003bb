"""Renders the file of one target from a config."""

from pathlib import Path

from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.workflows.deploy.calibration_file import MemoryCalibration, read_calibration
from synfiqa.jobs.workflows.deploy.fill import image_of
from synfiqa.jobs.workflows.deploy.kuberay import Around, render_kuberay
from synfiqa.jobs.workflows.deploy.machines import render_ray_up, render_skypilot, render_slurm
from synfiqa.jobs.workflows.deploy.needs import node_kinds
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError

SHARED_DISK = ("slurm",)
"""Targets whose nodes have a file system in common."""


def render(
    target: str,
    config: RunConfig,
    *,
    image: str | None = None,
    calibration: Path | None = None,
    nodes: int = 0,
    cpus: int = 0,
    around: Around | None = None,
) -> str:
    """Return the file of a target; UserError for what the target cannot run, or an image of another version."""
    around = around or Around()
    if target != "kuberay" and around != Around():
        raise UserError(
            f"--cloud, --secret, --service-account, --queue and --kind are of --target kuberay, not of {target}"
        )
    if target not in SHARED_DISK and Storage(config.run.url).local() is not None:
        raise UserError(
            f"run.url {config.run.url} is a folder of this machine, which nodes of {target} do not share: name an "
            "object store with --run, such as s3://bucket/run"
        )
    measured = read_calibration(calibration, config) if calibration else None
    config = with_calibration(config, measured)
    kinds, name = node_kinds(config, measured, nodes, cpus), image_of(image)
    if target == "kuberay":
        return render_kuberay(config, kinds, name, around)
    return {"slurm": render_slurm, "skypilot": render_skypilot, "ray-up": render_ray_up}[target](config, kinds, name)


def with_calibration(config: RunConfig, measured: MemoryCalibration | None) -> RunConfig:
    """Return the config with the GPU memory of its stages, by which workers are packed onto GPUs.

    UserError for a calibration of a CPU in a config of GPUs, or the other way round.
    """
    if measured is None:
        return config
    if (measured.device == "cuda") != (config.placement.device == "cuda"):
        raise UserError(
            f"--calibration was measured on {measured.device} and placement.device is {config.placement.device}: "
            "calibrate on the device that the config uses"
        )
    if measured.device == "cpu":
        return config
    placement = config.placement.model_copy(
        update={"gpu_memory_mb": measured.gpu_memory_mb, "memory_mb": dict(measured.memory_mb)}
    )
    return config.model_copy(update={"placement": placement})
