"""Measure how alike rendered people are, to each other or to real people.

`python -m benchmarks.quality.people strangers --people varied --count 1000` renders candidates that pass the filter and
prints the share of pairs of strangers above each threshold. `python -m benchmarks.quality.people privacy LFW` compares
the distance from rendered people to the nearest face of the development half of LFW (one folder a person; measured,
never trained on) with that of its people to their nearest stranger. Prints Markdown.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.quality.people.portraits import Portraits, portraits_of, vectors_of
from benchmarks.quality.people.privacy import QUANTILES, Nearness, nearness
from benchmarks.quality.people.strangers import Strangers, strangers
from benchmarks.quality.photographs.development import development_photos
from benchmarks.quality.photographs.faces import faces_of
from synfiqa.schemas.config.generate import GenerateSection
from synfiqa.schemas.config.people import PeopleSection

THRESHOLDS = (0.45, 0.5, 0.55, 0.6, 0.65)
"""Cosines of `filter.max_similarity` that are reported for bundled embedders."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    for name in ("strangers", "privacy"):
        one = kinds.add_parser(name)
        one.add_argument(
            "--people", default="{}", help="generate.people: a ready-made name, or JSON; {} is the default"
        )
        one.add_argument("--count", type=int, default=600, help="rendered people")
        one.add_argument("--seed", type=int, default=0)
        one.add_argument("--embedders", nargs="+", default=["bundled-a", "dlib"] if name == "strangers" else ["dlib"])
        if name == "strangers":
            one.add_argument("--thresholds", nargs="+", type=float, default=THRESHOLDS)
        else:
            one.add_argument("lfw", type=Path, help="folder with one folder of photographs a person")
            one.add_argument("--real", type=int, default=1000, help="people of the development half")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    shown = portraits_of(people_of(options.people), options.count, options.seed)
    print(f"{len(shown.faces)} people of {shown.candidates} candidates, generate.people {options.people}\n")
    if options.kind == "strangers":
        for embedder in options.embedders:
            vectors = vectors_of(shown.faces, embedder)
            print(strangers_table(embedder, [strangers(vectors, cosine) for cosine in options.thresholds]), flush=True)
    else:
        for embedder in options.embedders:
            print(privacy_table(embedder, _near(shown, options, embedder)), flush=True)


def people_of(words: str) -> PeopleSection:
    """Return the section that a ready-made name or JSON stands for; pydantic's ValidationError when none."""
    value = json.loads(words) if words.lstrip().startswith("{") else words
    return GenerateSection.model_validate({"people": value}).people


def _near(shown: Portraits, options: argparse.Namespace, embedder: str) -> Nearness:
    real = faces_of(development_photos(options.lfw, options.real, 1, options.seed))
    person = np.unique(real.person, return_inverse=True)[1]
    return nearness(vectors_of(shown.faces, embedder), vectors_of(real.images, embedder), person)


def strangers_table(embedder: str, found: Sequence[Strangers]) -> str:
    """Return one row a threshold: pairs above it, their share with its error, and the share by the fitted tail."""
    rows = [
        f"| {embedder}: cosine above | pairs of {found[0].pairs:,} | people in them | share | by the tail |",
        "|---|---|---|---|---|",
    ]
    rows += [
        f"| {one.threshold:g} | {one.above:,} | {one.people} | {one.share:.2e} +- {one.error:.1e} | {one.fitted:.1e} |"
        for one in found
    ]
    return "\n".join(rows) + "\n"


def privacy_table(embedder: str, found: Nearness) -> str:
    """Return the quantiles of both nearest distances, and the share of rendered people below the limit."""
    heads = " | ".join(f"quantile {quantile:g}" for quantile in QUANTILES)
    rows = [f"| {embedder}: nearest of {found.gallery} real people | {heads} |", "|---|" + "---|" * len(QUANTILES)]
    for name, values in (("rendered people", found.rendered), ("real strangers", found.real)):
        rows.append(f"| {name} | " + " | ".join(f"{value:.3f}" for value in values) + " |")
    share = (
        f"{found.nearer:.2%} of the rendered people are nearer than {found.limit:.3f}, as 1 % of real strangers are."
    )
    return "\n".join(rows) + f"\n\n{share}\n"


if __name__ == "__main__":
    main()
