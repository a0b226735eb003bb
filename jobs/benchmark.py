"""Command `benchmark`: make, check and use a verification benchmark that is the same bytes on every machine."""

import argparse

from synfiqa.jobs.command import Command, CommandGroup, option
from synfiqa.jobs.options import local_path

HERE = "a benchmark lies on this machine"
FOLDER = option("folder", metavar="DIR", help="folder of the benchmark")


MAKE = (
    option("--out", required=True, metavar="DIR", help="folder to write; missing, empty or unfinished"),
    option("--identities", type=int, default=100, metavar="N", help="identities (default: 100)"),
    option("--seed", type=int, default=0, metavar="N", help="another seed, another benchmark (default: 0)"),
    option("--references", type=int, default=4, metavar="N", help="clean images an identity (default: 4)"),
    option("--mixed", type=int, default=10, metavar="N", help="probes with many factors an identity (default: 10)"),
    option("--factors", default="", metavar="NAME,...", help="only these ladders, such as yaw,blur (default: all)"),
    option("--processes", type=int, default=0, metavar="N", help="parallel processes (default: the CPUs)"),
)
SCORE = (
    FOLDER,
    option("--model", required=True, metavar="PATH", help="run, model folder, .safetensors file or bundled-quality"),
    option("--scorers", default="sharpness,random", metavar="NAME,...", help="beside it, such as norm,bundled-quality"),
    option("--out", default="benchmark-score.json", metavar="FILE", help="JSON (default: benchmark-score.json)"),
    option("--bootstrap", type=int, default=200, metavar="N", help="resamples for intervals (default: 200, 0: none)"),
)


def benchmark(options: argparse.Namespace) -> None:
    """Carry out the action that the command line names."""
    folder = local_path(options.out if options.action == "make" else options.folder, HERE)
    from synfiqa.jobs.workflows.verification_benchmark import run_check, run_make, run_score, settings_of

    match options.action:
        case "make":
            run_make(folder, settings_of(options), max(0, options.processes))
        case "check":
            run_check(folder)
        case "score":
            beside = [name for name in options.scorers.split(",") if name]
            run_score(folder, options.model, local_path(options.out, HERE), max(0, options.bootstrap), beside)


ACTIONS = (
    Command("make", "render images and fix the pairs; run again to finish what was interrupted", MAKE, benchmark),
    Command("check", "read every byte and name what is missing, damaged or foreign", (FOLDER,), benchmark),
    Command("score", "compute EDC and pAUC of a quality model beside other scorers", SCORE, benchmark),
)
COMMAND = CommandGroup(
    "benchmark", "make or use a verification benchmark, the same byte for byte wherever its seed is rendered", ACTIONS
)


if __name__ == "__main__":
    COMMAND.main()
