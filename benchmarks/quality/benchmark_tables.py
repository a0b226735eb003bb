"""Print the tables of `docs/benchmark.md` in Markdown, from the JSON of `synfiqa benchmark score`.

`uv run python -m benchmarks.quality.benchmark_tables runs/quickstart-benchmark.json`
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from synfiqa.jobs.workflows.verification_benchmark import figure

MODES = ("leaderboard", "fixed")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scores", type=Path, help="JSON written by `synfiqa benchmark score --out`")
    path = parser.parse_args().scores
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        sys.exit(f"cannot read {path} ({error}): make it with `synfiqa benchmark score --out {path}`")
    if not isinstance(document, dict) or not {"results", "spearman", "factors"} <= document.keys():
        sys.exit(f"{path} holds no scores: make them with `synfiqa benchmark score --out {path}`")
    print("\n".join([*pauc_table(document), "", *factor_rows(document)]))


def pauc_table(document: dict[str, Any]) -> list[str]:
    """Return one line a method: pAUC with its interval at each FMR and mode, and Spearman with the mean similarity."""
    results = [result for mode in MODES for result in document["results"] if result["mode"] == mode]
    titles = [f"{result['mode']}, FMR {100 * result['fmr']:g} %" for result in results]
    lines = ["| | " + " | ".join(titles) + " | Spearman |", "|---" * (len(titles) + 2) + "|"]
    for name, rho in document["spearman"].items():
        cells = [figure(result["methods"][name]) for result in results]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {_number(rho)} |")
    return lines


def factor_rows(document: dict[str, Any]) -> list[str]:
    """Return one line a factor: mean similarity and FNMR of each step, and `falls` of similarity and methods."""
    methods = [name for name in document["spearman"] if name != "random"]
    falling = ["similarity", *methods]
    lines = ["| factor | similarity | FNMR, % | " + " | ".join(f"{name} falls" for name in falling) + " |"]
    lines.append("|---" * (3 + len(falling)) + "|")
    for name, entry in document["factors"].items():
        similarity = " ".join(_number(step["similarity"], 2) for step in entry["steps"])
        wrong = " ".join(f"{100 * step['fnmr']:.0f}" for step in entry["steps"])
        falls = [_number(entry["falls"][method], 2) if "falls" in entry else "" for method in falling]
        lines.append(f"| {name} | {similarity} | {wrong} | " + " | ".join(falls) + " |")
    return lines


def _number(value: float | None, digits: int = 3) -> str:
    if value is None:
        return "undefined"
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


if __name__ == "__main__":
    main()
