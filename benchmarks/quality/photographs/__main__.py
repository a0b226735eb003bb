"""Measure quality scorers on the development half of LFW, natural and with faults applied before detection.

`python -m benchmarks.quality.photographs LFW --lightqnet lightqnet-dm100.pb` takes 200 people with 5 photographs each
(of 218 that have so many) from the folder LFW (one folder a person), about a quarter of an hour. A recogniser judges;
pairs are all genuine ones and a sample of the impostors, pair quality is the lower one, intervals are by bootstrap over
people. `detector` is the probability with which the detector found the face. Prints Markdown.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.quality.photographs.development import development_photos
from benchmarks.quality.photographs.faces import Faces, faces_of
from benchmarks.quality.photographs.lightqnet import LightQNet
from synfiqa.actors.players import player
from synfiqa.actors.quality.factories import ScorerSettings, scorers_of
from synfiqa.fiqa_train.evaluation.compare import Protocol, compare
from synfiqa.fiqa_train.evaluation.pairs import embed_flipped, enumerate_pairs, pair_similarity
from synfiqa.schemas.evaluation import Comparison

SCORERS = ("bundled-quality", "norm", "mirror", "sharpness", "random")
IMPOSTORS = 300_000
LIMIT = 0.3


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for each set and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lfw", type=Path, help="folder with one folder of photographs a person")
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--each", type=int, default=5, help="photographs a person")
    parser.add_argument("--judges", nargs="+", default=["dlib", "bundled-b"], help="embedders of the catalogue")
    parser.add_argument("--lightqnet", type=Path, help="published .pb file of LightQNet")
    parser.add_argument("--fmr", nargs="+", type=float, default=[1e-2, 1e-3])
    parser.add_argument("--resamples", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    photos = development_photos(options.lfw, options.people, options.each, options.seed)
    for title, seed in (("natural", None), ("0 to 2 of 15 faults before detection", options.seed)):
        faces = faces_of(photos, seed)
        qualities = qualities_of(faces, options.lightqnet)
        print(
            f"\n**{title}**: {len(photos)} photographs of {options.people} people, {faces.without_face} without a face"
        )
        people = np.unique(faces.person, return_inverse=True)[1]
        table = enumerate_pairs(people, IMPOSTORS, options.seed)
        protocol = Protocol(options.fmr, LIMIT, options.resamples, options.seed)
        for judge in options.judges:
            embedder = player(ScorerSettings().catalogue.model(judge, "embedder"))
            similarity = pair_similarity(embed_flipped(embedder, faces.images), table)
            results = compare(qualities, similarity, table, people, protocol)
            print("\n" + markdown(judge, results), flush=True)


def qualities_of(faces: Faces, lightqnet: Path | None) -> dict[str, np.ndarray]:
    """Return the scores (N,) of each scorer, higher being better."""
    scorers = scorers_of(SCORERS, ScorerSettings(), {}, "benchmark")
    found: dict[str, np.ndarray] = {}
    for name, scorer in scorers.items():
        scorer.calibrate(faces.images)
        found[name] = scorer.score(faces.images)
    found["detector"] = faces.probability
    if lightqnet is not None:
        found["LightQNet"] = LightQNet(lightqnet).score(faces.images)
    return found


def markdown(judge: str, results: Sequence[Comparison]) -> str:
    """Return one row a scorer, one column a mode and FMR: pAUC with its interval."""
    heads = [
        f"{result.mode}, FMR {result.fmr:g} (F_0 {result.fnmr0:.3f}, {result.carriers} identity pairs)"
        for result in results
    ]
    rows = [f"| judge {judge} | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]
    for name in results[0].methods:
        rows.append(f"| {name} | " + " | ".join(_cell(result, name) for result in results) + " |")
    first = results[0]
    rows.append(f"\n{first.n_genuine:,} genuine and {first.n_impostor:,} impostor pairs, R {first.discard_limit:g}.")
    return "\n".join(rows)


def _cell(result: Comparison, name: str) -> str:
    method = result.methods[name]
    if method.pauc is None:
        return "no value"
    bounds = method.interval
    between = "" if bounds is None or bounds.low is None else f" [{bounds.low:.3f}, {bounds.high:.3f}]"
    return f"{method.pauc:.3f}{between}"


if __name__ == "__main__":
    main()
