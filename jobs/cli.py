"""The command line: one command a job, and one exit code for each way that a job can end."""

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from synfiqa.cluster.pipeline.ray_session import Terminated, terminate_like_interrupt
from synfiqa.cluster.run.generations import current
from synfiqa.cluster.run.lease import Lease, hold
from synfiqa.cluster.storage.storage import Storage, redact
from synfiqa.cluster.storage.url_spelling import intended_url
from synfiqa.cluster.telemetry.progress import stop_live_lines
from synfiqa.jobs.benchmark_cli import add_benchmark_command
from synfiqa.jobs.config import apply_overrides, load_config, parse_config
from synfiqa.jobs.models_cli import add_models_command
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.model_card import BUNDLED_QUALITY

INTERRUPTED = 130
TERMINATED = 143
EXIT_CODES = """\
exit codes:
  0    done
  1    the work failed, or verify found damage: the message says what to do
  2    wrong usage, or a store that refuses: correct it first
  3    more rows are dead than resilience.max_dead_rate allows
  4    another driver holds the run, or has taken it over
  130  interrupted (Ctrl-C): run the same command again to go on
  143  terminated (SIGTERM, `ray job stop`): run the same command again to go on
"""
LOOK_BUDGET_S = 30.0
"""Patience with a store of commands that people wait for."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; every failure ends in one sentence on stderr and a documented exit code."""
    options = build_parser().parse_args(arguments)
    sys.exit(run_command(lambda: options.job(options)))


def run_command(call: Callable[[], None]) -> int:
    """Call a job and turn its failure into a sentence and an exit code; unexpected errors keep their traceback."""
    try:
        with terminate_like_interrupt():
            call()
    except (UserError, JobFailed) as error:
        stop_live_lines()
        sys.stderr.write(f"synfiqa: {error}\n")
        return error.exit_code
    except KeyboardInterrupt as signal:
        stop_live_lines()
        sys.stderr.write("\nsynfiqa: interrupted: run the same command again to go on from the last commit\n")
        return TERMINATED if isinstance(signal, Terminated) else INTERRUPTED
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; the list of commands is frozen under test."""
    parser = argparse.ArgumentParser(
        prog="synfiqa",
        description="Synthetic face-image-quality datasets, and models trained on them, on Ray.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="jobs", metavar="JOB", required=True)
    for job, text in (
        (_run, "everything: generate, label, train, evaluate, report; run again to finish or resume"),
        (_generate, "make the dataset: identities, references, degraded samples, raw label components"),
    ):
        command = _command(commands, job, text)
        _add_config_options(command)
        command.add_argument(
            "--new-generation",
            action="store_true",
            help="if the recipe differs from the run's, start the run's next generation in the same folder",
        )
        if job is _generate:
            command.add_argument(
                "--check",
                action="store_true",
                help="make nothing: say whether config, models, licences, prompts and templates are fit for a run",
            )
    replay = _command(commands, _replay, "make dead rows again after their cause is gone")
    _add_run_options(replay)
    _add_set_option(replay)
    replay.add_argument("--dead", action="store_true", required=True, help="replay every dead row of the run")
    for job, text in (
        (_label, "fuse the raw components into one quality label per degraded sample"),
        (_train, "fit a quality model to the labels with Ray Train"),
        (_evaluate, "EDC and pAUC on held-out identities, beside the baselines"),
    ):
        _add_config_options(_command(commands, job, text))
    score = _command(commands, _score, "detect, align and score photographs (higher is better)")
    score.add_argument("paths", nargs="+", metavar="PATH", help="photographs, or folders of them")
    score.add_argument(
        "--model",
        default=BUNDLED_QUALITY,
        help="run folder, model folder or .safetensors file (default: the bundled one)",
    )
    score.add_argument("--out", default="scores.csv", help="CSV to write (default: scores.csv)")
    _add_config_options(_command(commands, _report, "write report/index.html, one static page about the run"))
    export = _command(commands, _export, "write the labelled dataset in a published layout")
    _add_config_options(export)
    export.add_argument("--out", required=True, help="folder to write; must be missing or empty")
    export.add_argument("--layout", choices=("synfiqa", "webdataset", "parquet"), default="synfiqa")
    status = _command(commands, _status, "how far a run is and who drives it, from its folder alone")
    _add_run_options(status)
    status.add_argument("--json", action="store_true", help="print one JSON document")
    status.add_argument("--trace", action="store_true", help="also how busy stages, workers and GPUs were")
    _add_run_options(_command(commands, _verify, "read everything a run has committed and name all damage"))
    gc = _command(commands, _gc, "remove what crashed attempts left in a run, never anything committed")
    _add_run_options(gc)
    gc.add_argument("--older-than", default="24h", metavar="SPAN", help="age guard such as 90s, 30m, 24h (default), 7d")
    gc.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    templates = _command(commands, _templates, "make a template bank: how faces may be shown by diffusion")
    _add_config_options(templates)
    templates.add_argument("--out", required=True, help="file to write, for diffusion.templates")
    templates.add_argument("--degraded", type=_positive, default=1000, help="degraded templates (default: 1000)")
    templates.add_argument(
        "--candidates",
        metavar="RUN",
        help="measure the rejected candidates of this run instead of drawing from the config's distribution",
    )
    add_models_command(commands)
    calibrate = _command(commands, _calibrate, "measure the memory of each stage and pack workers onto GPUs")
    _add_config_options(calibrate)
    calibrate.add_argument(
        "--gpu-memory-mb", type=_positive, help="plan for a GPU of this size instead of the one here"
    )
    add_benchmark_command(commands)
    bootstrap = _command(commands, _bootstrap, "train every bundled network again from our own renders")
    bootstrap.add_argument("--out", help="folder for all weights and cards (default: those of this checkout)")
    bootstrap.add_argument(
        "--part", choices=("all", "networks", "quality"), default="all", help="what to train (default: all)"
    )
    bootstrap.add_argument("--seed", type=int, default=0)
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    job: Callable[[argparse.Namespace], None],
    text: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(job.__name__.strip("_"), help=text, description=text.capitalize() + ".")
    command.set_defaults(job=job)
    return command


def _add_config_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("config", nargs="?", metavar="CONFIG", help="run config, a YAML file")
    command.add_argument("--config", dest="config_option", metavar="CONFIG", help="the same as an option")
    command.add_argument("--run", metavar="URL", help="run folder or fsspec URL; overrides run.url")
    _add_set_option(command)


def _add_set_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override a config value; repeatable"
    )


def _add_run_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", nargs="?", metavar="RUN", help="run folder or fsspec URL")
    command.add_argument("--run", metavar="URL", help="the same as an option")


def _run_url(options: argparse.Namespace) -> str:
    if options.folder and options.run:
        raise UserError(f"two runs are given, {redact(options.folder)} and {redact(options.run)}: give one")
    if not (options.folder or options.run):
        raise UserError("no run is given: name its folder or URL, such as runs/quickstart")
    return options.folder or options.run


def _storage(config: RunConfig) -> Storage:
    return current(config.run.url, retry_budget_s=config.resilience.retry_budget_s)


def _held(config: RunConfig, storage: Storage, job: str) -> AbstractContextManager[Lease]:
    """Hold an existing run while a job writes to it: two of them would undo each other's work, or double it."""
    from synfiqa.cluster.run.manifest import load_run

    load_run(storage)
    return hold(storage, config.resilience.lease_s, job=job)


def resolve_config(options: argparse.Namespace) -> RunConfig:
    """Return the config of the file; with only --run, the snapshot in that run folder."""
    if options.config and options.config_option:
        raise UserError(f"two configs are given, {options.config} and {options.config_option}: give one")
    path = options.config or options.config_option
    if path:
        return load_config(path, options.set, options.run)
    if not options.run:
        raise UserError("no config is given: name a YAML file such as configs/quickstart.yaml, or a run with --run URL")
    return _config_of_run(options.run, options.set)


def _config_of_run(url: str, overrides: list[str]) -> RunConfig:
    """Return the config that a run was made with, as its newest generation recorded it."""
    from synfiqa.cluster.run.manifest import load_run

    tree = apply_overrides(dict(load_run(current(url)).config), overrides)
    tree["run"] = {**tree.get("run", {}), "url": url}
    return parse_config(tree, source=f"{redact(url)}/run.json")


def _run(options: argparse.Namespace) -> None:
    config = resolve_config(options)
    from synfiqa.jobs.workflows.whole_run import run_all

    run_all(config, new_generation=options.new_generation)


def _generate(options: argparse.Namespace) -> None:
    config = resolve_config(options)
    if options.check:
        from synfiqa.jobs.generation.readiness import run_check

        run_check(config)
        return
    from synfiqa.cluster.pipeline.ray_session import ray_session
    from synfiqa.jobs.generation.dataset import run_generate

    with ray_session():
        dataset = run_generate(config, _storage(config), new_generation=options.new_generation)
    # Generating may have started a new generation.
    place = _storage(config).uri()
    _say(f"{dataset.samples} samples of {dataset.accepted} identities in {place}, digest {dataset.digest}")


def _replay(options: argparse.Namespace) -> None:
    config = _config_of_run(_run_url(options), options.set)
    from synfiqa.cluster.pipeline.ray_session import ray_session
    from synfiqa.jobs.generation.replay_dead import run_replay

    storage = _storage(config)
    with ray_session():
        dataset = run_replay(config, storage)
    _say(
        f"{dataset.samples} samples of {dataset.accepted} identities in {storage.uri()}, "
        f"{dataset.dead} candidates and {dataset.samples_dead} samples are still dead, digest {dataset.digest}"
    )


def _label(options: argparse.Namespace) -> None:
    config = resolve_config(options)
    from synfiqa.fiqa_train.labels.label_pass import run_label

    storage = _storage(config)
    with _held(config, storage, "label") as lease:
        run_label(config, storage, lease=lease)
    _say(f"labels are in {storage.uri('labels')}/{config.label.name}")


def _train(options: argparse.Namespace) -> None:
    config = resolve_config(options)
    from synfiqa.cluster.pipeline.ray_session import ray_session
    from synfiqa.fiqa_train.training.train_run import run_train

    storage = _storage(config)
    with ray_session(), _held(config, storage, "train") as lease:
        run_train(config, storage, lease=lease)
    _say(f"the model is in {storage.uri('models')}/{config.train.name}")


def _evaluate(options: argparse.Namespace) -> None:
    config = resolve_config(options)
    from synfiqa.fiqa_train.evaluation.evaluate_run import run_evaluate
    from synfiqa.jobs.terminal.summary import evaluation_lines

    storage = _storage(config)
    with _held(config, storage, "evaluate") as lease:
        evaluation = run_evaluate(config, storage, lease=lease)
    for line in evaluation_lines(evaluation):
        _say(line)


def _score(options: argparse.Namespace) -> None:
    from synfiqa.fiqa_train.scoring.score_file import run_score

    counts = run_score(options.paths, options.model, _local_out(options))
    told = ", ".join(f"{count} {what}" for what, count in counts.most_common())
    _say(f"{counts.total()} photographs in {options.out}: {told}")


def _report(options: argparse.Namespace) -> None:
    config = resolve_config(options)
    from synfiqa.jobs.report_page.write_report import run_report

    storage = _storage(config)
    run_report(config, storage)
    _say(storage.uri("report/index.html"))


def _export(options: argparse.Namespace) -> None:
    config = resolve_config(options)
    from synfiqa.fiqa_train.export.layouts import run_export

    run_export(_storage(config), _local_out(options), options.layout, config.label.name)
    _say(f"exported to {options.out}")


def _status(options: argparse.Namespace) -> None:
    from synfiqa.jobs.terminal.status_text import run_status

    storage = current(_run_url(options), retry_budget_s=LOOK_BUDGET_S)
    run_status(storage, as_json=options.json, trace=options.trace)


def _verify(options: argparse.Namespace) -> None:
    from synfiqa.jobs.terminal.verification_text import run_verify

    run_verify(current(_run_url(options)))


def _gc(options: argparse.Namespace) -> None:
    from synfiqa.jobs.terminal.garbage_text import run_gc

    run_gc(current(_run_url(options)), options.older_than, dry_run=options.dry_run)


def _templates(options: argparse.Namespace) -> None:
    config = resolve_config(options)
    from synfiqa.jobs.workflows.template_banks import run_templates

    candidates = current(options.candidates) if options.candidates else None
    run_templates(config, _local_out(options), degraded=options.degraded, candidates=candidates)


def _calibrate(options: argparse.Namespace) -> None:
    from synfiqa.jobs.workflows.gpu_plan import run_calibrate

    run_calibrate(resolve_config(options), options.gpu_memory_mb)


def _bootstrap(options: argparse.Namespace) -> None:
    from synfiqa.jobs.workflows.bundled_networks import run_bootstrap

    run_bootstrap(_local_out(options) if options.out else None, options.seed, options.part)


def _local_out(options: argparse.Namespace) -> Path:
    url = options.out if "://" in options.out else intended_url(options.out)
    if url:
        raise UserError(f"--out writes to this machine, not to {redact(url)}: name a local path")
    return Path(options.out)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too small: give a whole number above 0")
    return number


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
