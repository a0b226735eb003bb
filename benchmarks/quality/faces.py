"""Measure all bars of the embedded faces: detection, rasteriser, generation, networks, labels, model, photograph.

`uv run python -m benchmarks.quality.faces` prints the table; `--only detection,rasteriser` some of it. Labels and model
need a finished run (`--run runs/quickstart`); of several runs, such as three seeds, medians are printed. The photograph
is scored by the models of the runs, without one by the bundled model.
Renders are kept in `--work` and made again when the code that draws them has changed. The exit code is 0 when
everything could be measured, whether bars are met or not. The time of `synfiqa bootstrap` is not among the bars.
"""

import argparse
import importlib
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.quality.face_bars.bar import Bar, table, to_json
from benchmarks.quality.face_bars.networks import require_networks
from benchmarks.quality.face_bars.settings import Settings
from synfiqa.schemas.errors import JobFailed, UserError

SUBJECTS = (
    "detection",
    "rasteriser",
    "generation",
    "embedders",
    "dual_encoder",
    "labels",
    "fiqa",
    "photograph",
    "weights",
)
"""Modules of `benchmarks.quality.face_bars`, each with a function `measure`, in the order of the table."""
NEED_A_RUN = ("labels", "fiqa")


def main() -> None:
    """Measure, print, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help=f"some of {','.join(SUBJECTS)}")
    parser.add_argument(
        "--run",
        nargs="+",
        default=[],
        help="finished run folders for labels, fiqa and photograph (else: the bundled model)",
    )
    parser.add_argument("--label", default="default", help="label pass and model of the runs")
    parser.add_argument(
        "--networks",
        nargs="+",
        type=Path,
        default=list(Settings.networks),
        help="folders written by `synfiqa bootstrap`, whose embedders and image-text networks are measured; of "
        "several, such as three seeds, medians are printed (default: the bundled ones)",
    )
    parser.add_argument("--faces", type=int, default=Settings.faces, help="references in which faces are detected")
    parser.add_argument(
        "--identities", type=int, default=Settings.identities, help="held-out identities, for networks and labels"
    )
    parser.add_argument("--timed", type=int, default=Settings.timed, help="identities on which generation is timed")
    parser.add_argument("--processes", type=int, default=Settings.processes)
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--work", type=Path, default=Settings.work, help="folder of the renders")
    parser.add_argument("--json", type=Path, help="file to which the bars are written too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    try:
        subjects = chosen(options.only, bool(options.run))
        settings = Settings(
            faces=options.faces,
            identities=options.identities,
            timed=options.timed,
            seed=options.seed,
            processes=options.processes,
            work=options.work,
            runs=tuple(options.run),
            label=options.label,
            networks=tuple(options.networks),
        )
        if {"embedders", "dual_encoder"} & set(subjects):
            require_networks(settings.networks)
        bars = measured(subjects, settings)
    except (UserError, JobFailed) as error:
        sys.exit(str(error))
    print(table(bars))
    if options.json:
        described = {**asdict(settings), "work": str(settings.work), "subjects": list(subjects)}
        described["networks"] = [str(folder) for folder in settings.networks]
        options.json.write_text(json.dumps(to_json(bars, described), indent=1, allow_nan=False) + "\n")


def chosen(only: str | None, with_run: bool) -> tuple[str, ...]:
    """Return the subjects to measure: those of `--only`, or all that can be measured; UserError for unknown ones."""
    if only is None:
        return tuple(name for name in SUBJECTS if with_run or name not in NEED_A_RUN)
    wanted = tuple(only.replace("-", "_").split(","))
    if unknown := [name for name in wanted if name not in SUBJECTS]:
        raise UserError(f"there is no bar named {', '.join(unknown)}: choose some of {', '.join(SUBJECTS)}")
    if not with_run and (needy := [name for name in wanted if name in NEED_A_RUN]):
        raise UserError(f"{', '.join(needy)} is measured on a finished run: name one with --run runs/quickstart")
    return tuple(name for name in SUBJECTS if name in wanted)


def measured(subjects: tuple[str, ...], settings: Settings) -> list[Bar]:
    """Return the bars of the subjects; progress goes to stderr."""
    bars: list[Bar] = []
    for name in subjects:
        start = time.perf_counter()
        bars += importlib.import_module(f"benchmarks.quality.face_bars.{name}").measure(settings)
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return bars


if __name__ == "__main__":
    main()
