"""Options that several commands share, and the config, run and local path that they name."""

import argparse
from contextlib import AbstractContextManager
from pathlib import Path

from synfiqa.cluster.run.generations import current
from synfiqa.cluster.run.lease import Lease, hold
from synfiqa.cluster.storage.storage import Storage, redact
from synfiqa.cluster.storage.url_spelling import intended_url
from synfiqa.cluster.telemetry.log_lines import bind
from synfiqa.jobs.command import option
from synfiqa.jobs.config import apply_overrides, holds_training_alone, load_config, parse_config, training_tree
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError

LOOK_BUDGET_S = 30.0
"""Seconds for which `status` retries a store that fails, because a person waits for it."""

SET = option(
    "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override a config value; repeatable"
)
CONFIG = (
    option("config", nargs="?", metavar="CONFIG", help="run config, a YAML file"),
    option("--config", dest="config_option", metavar="CONFIG", help="the same as an option"),
    option("--run", metavar="URL", help="run folder or fsspec URL; overrides run.url"),
    SET,
)
SCORES = option(
    "--scores",
    action="append",
    default=[],
    metavar="NAME=FILE",
    help="scores of another tool as one more method: a CSV with path and score of every image (higher is better), or "
    "a CSV of OFIQ as NAME=FILE:COMPONENT; SET:NAME=FILE is of one set alone; repeatable",
)
ON = option(
    "--on",
    action="append",
    default=[],
    metavar="NAME=PATH",
    help="evaluate on this test set instead: InsightFace .bin, LFW, XQLFW, IJB-C, TinyFace, Adience, a folder of "
    "identities, a run or a rendered benchmark; repeatable",
)
ALLOW_SEEN = option(
    "--allow-seen",
    action="store_true",
    help="evaluate even on identities that a model may have learned from; the evaluation is marked",
)
RUN = (
    option("folder", nargs="?", metavar="RUN", help="run folder or fsspec URL"),
    option("--run", metavar="URL", help="the same as an option"),
)
NEW_GENERATION = option(
    "--new-generation",
    action="store_true",
    help="if the recipe differs from the run's, start the run's next generation in the same folder",
)


def config_of(options: argparse.Namespace) -> RunConfig:
    """Return the config of the file; with only --run, the snapshot in that run folder.

    A file with the section `train` alone takes all else from the snapshot of --run.
    """
    if options.config and options.config_option:
        raise UserError(f"two configs are given, {options.config} and {options.config_option}: give one")
    path = options.config or options.config_option
    if path and options.run and holds_training_alone(path):
        return config_of_run(options.run, options.set, path)
    if path:
        return load_config(path, options.set, options.run)
    if not options.run:
        raise UserError("no config is given: name a YAML file such as configs/quickstart.yaml, or a run with --run URL")
    return config_of_run(options.run, options.set)


def config_of_run(url: str, overrides: list[str], training: str = "") -> RunConfig:
    """Return the config that a run was made with, as its newest generation recorded it.

    `training` is a file whose section `train` replaces that of the run, but for its split.
    """
    from synfiqa.cluster.run.manifest import load_run, recorded_config

    recorded = recorded_config(load_run(current(url)))
    tree = training_tree(training, recorded, overrides) if training else apply_overrides(recorded, overrides)
    tree["run"] = {**tree.get("run", {}), "url": url}
    return parse_config(tree, source=training or f"{redact(url)}/run.json")


def run_url(options: argparse.Namespace) -> str:
    """Return the run that RUN or --run names; UserError where there is none, or both."""
    if options.folder and options.run:
        raise UserError(f"two runs are given, {redact(options.folder)} and {redact(options.run)}: give one")
    if not (options.folder or options.run):
        raise UserError("no run is given: name its folder or URL, such as runs/quickstart")
    url = str(options.folder or options.run)
    bind(run=redact(url))
    return url


def storage_of(config: RunConfig) -> Storage:
    """Return the newest generation of the config's run."""
    storage = current(config.run.url, retry_budget_s=config.resilience.retry_budget_s)
    bind(run=storage.uri())
    return storage


def held(config: RunConfig, storage: Storage, job: str) -> AbstractContextManager[Lease]:
    """Hold an existing run while a job writes to it: two of them would undo each other's work, or double it."""
    from synfiqa.cluster.run.manifest import load_run

    load_run(storage)
    return hold(storage, config.resilience.lease_s, job=job)


def local_path(text: str, place: str = "--out writes to this machine") -> Path:
    """Return a path on this machine; UserError for a URL, also for a misspelt one such as `s3:/bucket`."""
    url = text if "://" in text else intended_url(text)
    if url:
        raise UserError(f"{place}, not to {redact(url)}: name a local path")
    return Path(text)


def positive(text: str) -> int:
    """Return a whole number above 0, for `type` of an option."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too small: give a whole number above 0")
    return number
