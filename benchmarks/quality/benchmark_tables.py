"""Print the tables of `docs/benchmark.md` in Markdown, from the JSON of `synfiqa benchmark score`.

`uv run python -m benchmarks.quality.benchmark_tables runs/quickstart-benchmark.json`
"""

import argparse
import json
import sys
from pathlib import Path

from synfiqa.jobs.workflows.verification_benchmark import figure
from synfiqa.schemas.evaluation import BenchmarkFigures, BenchmarkResult, parse

MODES = ("leaderboard", "iso")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scores", type=Path, help="JSON written by `synfiqa benchmark score --out`")
    path = parser.parse_args().scores
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        sys.exit(f"cannot read {path} ({error}): make it with `synfiqa benchmark score --out {path}`")
    try:
        scores = parse(BenchmarkResult, document)
    except ValueError as error:
        sys.exit(
            f"{path} holds no scores of this version ({error}): make them with `synfiqa benchmark score --out {path}`"
        )
    print("\n".join([*pauc_table(scores), "", *factor_rows(scores)]))


def pauc_table(scores: BenchmarkFigures) -> list[str]:
    """Return one line a method: pAUC with its interval at each FMR and mode, and Spearman with the mean similarity."""
    results = [result for mode in MODES for result in scores.results if result.mode == mode]
    titles = [f"{result.mode}, FMR {100 * result.fmr:g} %" for result in results]
    lines = ["| | " + " | ".join(titles) + " | Spearman |", "|---" * (len(titles) + 2) + "|"]
    for name, rho in scores.spearman.items():
        cells = [figure(result.methods[name]) for result in results]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {_number(rho)} |")
    return lines


def factor_rows(scores: BenchmarkFigures) -> list[str]:
    """Return one line a factor: mean similarity and FNMR of each step, and `falls` of similarity and methods."""
    methods = [name for name in scores.spearman if name != "random"]
    falling = ["similarity", *methods]
    lines = ["| factor | similarity | FNMR, % | " + " | ".join(f"{name} falls" for name in falling) + " |"]
    lines.append("|---" * (3 + len(falling)) + "|")
    for name, entry in scores.factors.items():
        similarity = " ".join(_number(step.similarity, 2) for step in entry.steps)
        wrong = " ".join("undefined" if step.fnmr is None else f"{100 * step.fnmr:.0f}" for step in entry.steps)
        falls = ["" if entry.falls is None else _number(entry.falls[method], 2) for method in falling]
        lines.append(f"| {name} | {similarity} | {wrong} | " + " | ".join(falls) + " |")
    return lines


def _number(value: float | None, digits: int = 3) -> str:
    if value is None:
        return "undefined"
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


if __name__ == "__main__":
    main()
