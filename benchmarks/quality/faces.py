"""Every bar of the embedded faces, measured: detection, rasteriser, generation, networks, labels, model, photograph.

`uv run python -m benchmarks.quality.faces` prints the table; `--only detection,rasteriser` some of it. Labels and model
need a finished run (`--run runs/quickstart`); of several runs, such as three seeds, medians are shown. The photograph
is shown to the models of the runs, without one to the bundled model.
Renders are kept in `--work` and made again when the code that draws them has changed. The exit code is 0 when
everything could be measured; bars that are not met are printed, not hidden. How long a bootstrap takes is measured by
running it.
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
"""Modules of `benchmarks.quality.face_bars` with a function `measure`, in the order of the table."""
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
        help="folders that bootstraps have written, to judge their embedders and image-text networks; of several, such "
        "as three seeds, medians are shown (default: the bundled ones)",
    )
    parser.add_argument("--faces", type=int, default=Settings.faces, help="references that are searched for faces")
    parser.add_argument("--identities", type=int, default=Settings.identities, help="held out, for networks and labels")
    parser.add_argument("--timed", type=int, default=Settings.timed, help="identities that generation is timed on")
    parser.add_argument("--processes", type=int, default=Settings.processes)
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--work", type=Path, default=Settings.work, help="where renders are kept")
    parser.add_argument("--json", type=Path, help="also write the bars here")
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
    """Return the subjects to measure: those asked for, or all that can be measured; UserError for unknown ones."""
    if only is None:
        return tuple(name for name in SUBJECTS if with_run or name not in NEED_A_RUN)
    asked = tuple(only.replace("-", "_").split(","))
    if unknown := [name for name in asked if name not in SUBJECTS]:
        raise UserError(f"there is no bar named {', '.join(unknown)}: choose some of {', '.join(SUBJECTS)}")
    if not with_run and (needy := [name for name in asked if name in NEED_A_RUN]):
        raise UserError(f"{', '.join(needy)} is measured of a finished run: name one with --run runs/quickstart")
    return tuple(name for name in SUBJECTS if name in asked)


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
