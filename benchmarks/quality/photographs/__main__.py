"""Measure quality scorers on the development half of LFW, natural and with faults applied before detection.

`python -m benchmarks.quality.photographs LFW --lightqnet lightqnet-dm100.pb` takes 200 people with 5 photographs each
(of 218 that have so many) from the folder LFW (one folder a person), about a quarter of an hour. A recogniser judges;
pairs are all genuine ones and a sample of the impostors, pair quality is the lower one, intervals are by bootstrap over
people. `detector` is the probability with which the detector found the face. Then ladders: 24 faces, each fault at five
strengths before detection, by the first judge. Last the figures by which a model is chosen, with intervals and paired
differences to LightQNet; with `--seeds 0 1 2` also their medians. `--scorers` takes what `synfiqa score --model` takes.
Prints Markdown.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.quality.photographs.development import development_photos
from benchmarks.quality.photographs.faces import Faces, faces_of, likeness
from benchmarks.quality.photographs.kept import kept
from benchmarks.quality.photographs.lightqnet import LightQNet
from benchmarks.quality.photographs.real_ladders import LadderFigures, Ladders, brightness, figures_of, ladders_of
from benchmarks.quality.photographs.wanted import (
    BRIGHTNESS,
    SIMILARITY,
    Rows,
    correlation_rows,
    ladder_rows,
    median_table,
    pauc_rows,
    table,
)
from synfiqa.actors.players import player
from synfiqa.actors.quality.factories import ScorerSettings
from synfiqa.actors.roles import Embedder
from synfiqa.fiqa_train.evaluation.compare import Protocol, compare
from synfiqa.fiqa_train.evaluation.pairs import embed_flipped, enumerate_pairs, pair_similarity
from synfiqa.fiqa_train.scoring.sources import open_scorer
from synfiqa.schemas.evaluation import Comparison

SCORERS = ("bundled-quality", "norm", "mirror", "sharpness", "random")
SHOWN = ("noise", "JPEG", "darkening", "over-exposure", "blur", "low resolution")
"""Faults of the ladders whose drops are printed."""
LIGHTQNET = "LightQNet"
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
    parser.add_argument("--scorers", nargs="+", default=SCORERS, help="names, run or model folders, files")
    parser.add_argument("--faces", type=int, default=24, help="faces of the ladders; 0 for none")
    parser.add_argument("--fmr", nargs="+", type=float, default=[1e-2, 1e-3])
    parser.add_argument("--resamples", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", nargs="+", type=int, help="several draws of people and faults, with their medians")
    parser.add_argument("--versus", default="", metavar="SCORER", help="print differences of the first scorer to it")
    parser.add_argument("--keep", type=Path, help="folder in which faces and vectors are kept for a next call")
    options = parser.parse_args(arguments)
    if options.lightqnet is not None and not options.versus:
        options.versus = LIGHTQNET
    by_seed = []
    for seed in options.seeds or [options.seed]:
        print(f"\n# Seed {seed}")
        by_seed.append(_measured(options, seed))
        scorers = list(next(iter(by_seed[-1].figures.values())))
        print("\n" + table(by_seed[-1], scorers, options.versus), flush=True)
    if len(by_seed) > 1:
        print("\n" + median_table(by_seed, scorers, options.versus))


@dataclass(frozen=True)
class _Vectors:
    """Vectors float32 (N, 2D) of faces and their mirror images, side by side."""

    both: np.ndarray

    @property
    def one(self) -> np.ndarray:
        """Return the unit vectors (N, D) of the faces as they are."""
        return np.asarray(self.both[:, : self.both.shape[1] // 2] * np.sqrt(2))


@dataclass(frozen=True)
class _Set:
    """Faces of a draw, natural or with faults, their vectors by each judge and their scores by each scorer."""

    title: str
    faces: Faces
    vectors: dict[str, _Vectors]
    qualities: dict[str, np.ndarray]


def _measured(options: argparse.Namespace, seed: int) -> Rows:
    """Print the tables of one draw of people and faults, and return the figures that matter."""
    photos = development_photos(options.lfw, options.people, options.each, seed)
    judges = {judge: player(ScorerSettings().catalogue.model(judge, "embedder")) for judge in options.judges}
    drawn = f"{options.lfw.resolve()} {options.people} {options.each} {seed}"
    first = options.judges[0]
    natural = _set_of(options, judges, drawn, "natural", partial(faces_of, photos))
    rows = _compared(options, seed, natural)
    rows |= _correlated(options, seed, natural, BRIGHTNESS, brightness(natural.faces.images))
    spoilt = _set_of(options, judges, drawn, "with faults", partial(faces_of, photos, seed))
    rows |= _compared(options, seed, spoilt)
    likenesses = likeness(spoilt.vectors[first].one, spoilt.faces, natural.vectors[first].one, natural.faces)
    rows |= _correlated(options, seed, spoilt, SIMILARITY, likenesses)
    if options.faces:
        make = partial(ladders_of, photos, options.faces, judges[first].embed, seed)
        ladders = kept(options.keep, f"{drawn} ladders {options.faces} {first}", Ladders, make)
        scores = qualities_of(ladders.crops, options.scorers, options.lightqnet)
        print(f"\n**Ladders**: {options.faces} faces, judge {first}, {ladders.missed} without a face\n")
        print(ladder_table({name: figures_of(ladders, found) for name, found in scores.items()}), flush=True)
        rows |= ladder_rows(ladders, scores, options.versus, options.resamples, seed)
    return rows


def _set_of(
    options: argparse.Namespace,
    judges: Mapping[str, Embedder],
    drawn: str,
    title: str,
    make: Callable[[], Faces],
) -> _Set:
    faces = kept(options.keep, f"{drawn} {title}", Faces, make)
    vectors = {
        judge: kept(options.keep, f"{drawn} {title} {judge}", _Vectors, partial(_both, embedder, faces.images))
        for judge, embedder in judges.items()
    }
    return _Set(title, faces, vectors, qualities_of(faces.images, options.scorers, options.lightqnet))


def _both(embedder: Embedder, images: np.ndarray) -> _Vectors:
    return _Vectors(embed_flipped(embedder, images))


def _compared(options: argparse.Namespace, seed: int, drawn: _Set) -> Rows:
    """Print the pAUC of a set by each judge, and return the rows by the first of them."""
    faces, qualities = drawn.faces, drawn.qualities | {"detector": drawn.faces.probability}
    taken = options.people * options.each
    print(f"\n**{drawn.title}**: {taken} photographs of {options.people} people, {faces.without_face} without a face")
    people = np.unique(faces.person, return_inverse=True)[1]
    pairs = enumerate_pairs(people, IMPOSTORS, seed)
    protocol = Protocol(options.fmr, LIMIT, options.resamples, seed)
    versus = [(name, options.versus) for name in qualities if options.versus and name != options.versus]
    rows = []
    for judge, own in drawn.vectors.items():
        results = compare(qualities, pair_similarity(own.both, pairs), pairs, people, protocol, versus)
        print("\n" + markdown(judge, results), flush=True)
        rows.append(pauc_rows(drawn.title, results))
    return rows[0]


def _correlated(options: argparse.Namespace, seed: int, drawn: _Set, row: str, other: np.ndarray) -> Rows:
    """Return the row of Spearman's correlations of the scores with a value of the faces, where there is one."""
    whole = np.isfinite(other)
    scores = {name: values[whole] for name, values in drawn.qualities.items()}
    people = drawn.faces.person[whole]
    return correlation_rows(row, scores, other[whole], people, options.versus, options.resamples, seed)


def qualities_of(crops: np.ndarray, names: Sequence[str], lightqnet: Path | None) -> dict[str, np.ndarray]:
    """Return the scores (N,) of each scorer for aligned faces uint8 RGB (N, 112, 112, 3), higher being better."""
    found: dict[str, np.ndarray] = {}
    for name in names:
        scorer = open_scorer(name)
        scorer.calibrate(crops)
        found[name] = scorer.score(crops)
    if lightqnet is not None:
        found[LIGHTQNET] = LightQNet(lightqnet).score(crops)
    return found


def ladder_table(figures: Mapping[str, LadderFigures]) -> str:
    """Return one row a scorer: Spearman with real similarity over all rungs and inside a face, bias, drops."""
    rows = [
        "| scorer | pooled rho | within a face | bias | drops (sd): " + " / ".join(SHOWN) + " |",
        "|---|---|---|---|---|",
    ]
    for name, one in figures.items():
        drops = " / ".join(f"{one.drops.get(fault, float('nan')):.2f}" for fault in SHOWN)
        rows.append(f"| {name} | {one.pooled:.3f} | {one.within:.3f} | {one.bias:.3f} | {drops} |")
    return "\n".join(rows)


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
