"""The words of `synfiqa benchmark ...` on the command line."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from synfiqa.cluster.storage.storage import redact
from synfiqa.cluster.storage.url_spelling import intended_url
from synfiqa.schemas.errors import UserError


def add_benchmark_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `benchmark make|check|score` to the command line."""
    text = "a verification benchmark that anyone can make again, byte for byte, from a seed"
    benchmark = commands.add_parser("benchmark", help=text, description=text.capitalize() + ".")
    actions = benchmark.add_subparsers(title="actions", metavar="ACTION", required=True)
    make = _action(actions, "make", _make, "render images and fix the pairs; run again to finish what was interrupted")
    make.add_argument("--out", required=True, metavar="DIR", help="folder to write; missing, empty or unfinished")
    make.add_argument("--identities", type=int, default=100, metavar="N", help="identities (default: 100)")
    make.add_argument("--seed", type=int, default=0, help="another seed, another benchmark (default: 0)")
    make.add_argument("--references", type=int, default=4, metavar="N", help="clean images an identity (default: 4)")
    make.add_argument(
        "--mixed",
        type=int,
        default=10,
        metavar="N",
        help="probes an identity with many factors at once, beside the fixed ladders (default: 10)",
    )
    make.add_argument(
        "--factors", default="", metavar="NAME,...", help="only these ladders, such as yaw,blur (default: all)"
    )
    make.add_argument("--processes", type=int, default=0, metavar="N", help="parallel processes (default: the CPUs)")
    check = _action(actions, "check", _check, "read every byte and name what is missing, damaged or foreign")
    check.add_argument("folder", metavar="DIR")
    score = _action(actions, "score", _score, "EDC and pAUC of a quality model beside sharpness and random")
    score.add_argument("folder", metavar="DIR")
    score.add_argument("--model", required=True, help="run folder, model folder or .safetensors file")
    score.add_argument("--out", default="benchmark-score.json", help="JSON to write (default: benchmark-score.json)")
    score.add_argument(
        "--bootstrap", type=int, default=200, metavar="N", help="resamples for intervals (default: 200, 0: none)"
    )


def _action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    job: Callable[[argparse.Namespace], None],
    text: str,
) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=text, description=text.capitalize() + ".")
    action.set_defaults(job=job)
    return action


def _make(options: argparse.Namespace) -> None:
    from pydantic import ValidationError

    from synfiqa.fiqa_train.rendered_benchmark.plan import Settings
    from synfiqa.jobs.workflows.verification_benchmark import run_make

    chosen: dict[str, Any] = {name: getattr(options, name) for name in ("seed", "identities", "references", "mixed")}
    if options.factors:
        chosen["factors"] = tuple(options.factors.split(","))
    try:
        settings = Settings(**chosen)
    except ValidationError as error:
        first = error.errors()[0]
        reason = first["msg"].removeprefix("Value error, ")
        reason = reason[:1].lower() + reason[1:]
        raise UserError(
            f"--{first['loc'][0]} {getattr(options, str(first['loc'][0]))} will not do: {reason}"
        ) from error
    run_make(_local(options.out), settings, max(0, options.processes))


def _check(options: argparse.Namespace) -> None:
    from synfiqa.jobs.workflows.verification_benchmark import run_check

    run_check(_local(options.folder))


def _score(options: argparse.Namespace) -> None:
    from synfiqa.jobs.workflows.verification_benchmark import run_score

    run_score(_local(options.folder), options.model, _local(options.out), max(0, options.bootstrap))


def _local(path: str) -> Path:
    url = path if "://" in path else intended_url(path)
    if url:
        raise UserError(f"a benchmark lies on this machine, not at {redact(url)}: name a local path")
    return Path(path)
