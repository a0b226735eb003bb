"""Compare the parts and fusions of the label with another network's f_r and pAUC, on a finished run.

`uv run python -m benchmarks.quality.fusion runs/quickstart` prints, for every quality: Spearman with f_r of the
evaluation network, and pAUC of all degraded probes against clean references on that network (four numbers: two FMR, two
threshold modes; lower is better). Fusions are of the published form m = (f_r + lambda s_d) / (1 - kappa v_l), of that
form with normalised parts, with s_d of costs instead of ranks, and with f_r as the chance of a match (threshold and
width are options). f_r is that of the run. The last rows were fitted on half of the identities: the costs, and
the best weights by least squares, which are the upper bound.
"""

import argparse
from collections.abc import Callable
from itertools import product

import numpy as np
import pyarrow as pa
from scipy.stats import rankdata, spearmanr

from synfiqa.actors.imaging.codec import decode
from synfiqa.actors.model_store.selection import run_models
from synfiqa.actors.stages.annotator import recognition_similarity
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.generations import current
from synfiqa.cluster.run.manifest import load_run
from synfiqa.fiqa_train.evaluation.curve.similarity_tail import Similarities
from synfiqa.fiqa_train.evaluation.edc import edc_of, pair_quality
from synfiqa.fiqa_train.evaluation.held_out import load_embedder
from synfiqa.fiqa_train.evaluation.pairs import embed_flipped, enumerate_pairs, pair_similarity, probe_reference_pairs
from synfiqa.fiqa_train.labels import severities as label_factors
from synfiqa.fiqa_train.labels.costs import fit_costs, kept
from synfiqa.fiqa_train.labels.fusion import Components, fit, match_chance
from synfiqa.fiqa_train.labels.severities import flat_columns, severities
from synfiqa.schemas.config.models import ModelsSection

MODES = tuple(product((1e-2, 1e-3), ("leaderboard", "iso")))
COLUMNS = ["identity", "kind", "image", "recognition", "vision_language", *label_factors.COLUMNS]
DISCARD = 0.3


class Study:
    """A run's degraded samples with their components, and the similarities of its pairs by the evaluation network."""

    def __init__(self, url: str, embedder: str) -> None:
        storage = current(url)
        manifest = load_run(storage)
        rows = pa.concat_tables(ShardStore(storage, manifest.fingerprint).tables("samples", COLUMNS))
        identity = rows["identity"].to_numpy()
        self.reference = np.array([kind == "reference" for kind in rows["kind"].to_pylist()])
        images = np.stack([decode(image["bytes"]) for image in rows["image"].to_pylist()])
        network = run_models(ModelsSection(evaluation_embedder=embedder)).evaluation_embedder
        vectors = embed_flipped(load_embedder(network), images)
        table = probe_reference_pairs(enumerate_pairs(identity), self.reference)
        self._table, self._similarity = table, pair_similarity(vectors, table)
        degraded = ~self.reference
        self.other = recognition_similarity(vectors, identity, self.reference)[degraded].astype(np.float64)
        self.name = network.name
        self.half = identity[degraded] % 2 == 0
        self.f, self.v = (rows[name].to_numpy()[degraded].astype(float) for name in ("recognition", "vision_language"))
        factors = (np.abs(rows["measured_yaw"].to_numpy()), rows["downsample"].to_numpy(), rows["blur"].to_numpy())
        _, labels = fit(Components(self.f, self.v, *(factor[degraded] for factor in factors)), 0.5)
        self.s, self.shares = labels.spatial, (labels.yaw_rank, labels.downsample_rank, labels.blur_rank)
        self._severities = severities(flat_columns(rows.filter(pa.array(degraded))))
        everyone = np.ones(len(self.f), bool)
        self.c, self.c_half = self._kept(everyone), self._kept(self.half)

    def _kept(self, rows: np.ndarray) -> np.ndarray:
        """Return s_d by costs of all samples, fitted on these rows."""
        fitted = fit_costs({name: values[rows] for name, values in self._severities.items()}, self.f[rows])
        return kept(fitted, self._severities)

    def print_row(self, name: str, quality: np.ndarray, rows: np.ndarray | None = None) -> None:
        """Print one line of the table; Spearman over these rows alone."""
        rows = np.ones(len(quality), bool) if rows is None else rows
        whole = np.full(len(self.reference), quality.max() + 1)
        whole[~self.reference] = quality
        pairs = Similarities(self._similarity, self._table.genuine)
        quality_of_pairs = pair_quality(whole[self._table.first], whole[self._table.second])
        areas = "  ".join(f"{edc_of(pairs, quality_of_pairs, fmr, DISCARD, mode).pauc:.3f}" for fmr, mode in MODES)
        print(f"{name:<44} {spearmanr(quality[rows], self.other[rows])[0]:6.3f}   {areas}")

    def fitted(self, *parts: np.ndarray) -> np.ndarray:
        """Return the best weighted sum of the parts, by least squares on the even identities."""
        columns = np.stack([np.ones(len(self.f)), *parts], axis=1)
        weights = np.linalg.lstsq(columns[self.half], self.other[self.half], rcond=None)[0]
        return columns @ weights


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="finished run folder or URL")
    parser.add_argument("--embedder", default="bundled-b", help="bundled network that evaluates")
    parser.add_argument(
        "--match-threshold", type=float, default=0.55, help="cosine at which the network of f_r decides"
    )
    parser.add_argument("--match-width", type=float, default=0.08)
    options = parser.parse_args()
    study = Study(options.run, options.embedder)
    f, s, v, c = study.f, study.s, study.v, study.c
    ranked: Callable[[np.ndarray], np.ndarray] = lambda values: rankdata(values) / len(values)  # noqa: E731
    print(f"{len(f)} degraded samples, evaluated by {study.name}")
    titles = "  ".join(f"{fmr:g} {mode[0]}" for fmr, mode in MODES)
    print(f"{'quality':<44} {'rho':>6}   {titles}")
    study.print_row(f"f_r of {study.name} itself", study.other)
    for name, part in (("f_r", f), ("s_d", s), ("v_l", v), ("yaw share of s_d", study.shares[0]), ("s_d of costs", c)):
        study.print_row(name, part)
    for weight in (0.5, 0.2, 0.05, 0.0):
        study.print_row(f"(f_r + {weight:g} s_d) / (1 - v_l)", (f + weight * s) / (1 - v))
    for weight, scale in product((0.2, 0.05), (0.5, 0.25, 0.0)):
        study.print_row(f"(f_r + {weight:g} s_d) / (1 - {scale:g} v_l)", (f + weight * s) / (1 - scale * v))
    for weight, scale in product((0.1, 0.05), (0.1, 0.02)):
        quality = (f + weight * ranked(s)) / (1 - scale * ranked(v))
        study.print_row(f"(f_r + {weight:g} rank s_d) / (1 - {scale:g} rank v_l)", quality)
    for weight, scale in product((0.2, 0.35, 0.5), (0.5, 0.25, 0.0)):
        study.print_row(f"(f_r + {weight:g} s_d of costs) / (1 - {scale:g} v_l)", (f + weight * c) / (1 - scale * v))
    match = match_chance(f, options.match_threshold, options.match_width)
    for weight, scale in product((0.35, 0.5, 0.7, 1.0), (0.25, 0.0)):
        study.print_row(
            f"(match + {weight:g} s_d of costs) / (1 - {scale:g} v_l)", (match + weight * c) / (1 - scale * v)
        )
    print("fitted on even identities, rho on odd ones")
    study.print_row("f_r", f, ~study.half)
    study.print_row("s_d of costs", study.c_half, ~study.half)
    for weight in (0.2, 0.35, 0.5):
        quality = (f + weight * study.c_half) / (1 - 0.25 * v)
        study.print_row(f"(f_r + {weight:g} s_d of costs) / (1 - 0.25 v_l)", quality, ~study.half)
    for weight in (0.5, 0.7, 1.0):
        quality = (match + weight * study.c_half) / (1 - 0.25 * v)
        study.print_row(f"(match + {weight:g} s_d of costs) / (1 - 0.25 v_l)", quality, ~study.half)
    for name, parts in (("s_d", (s,)), ("v_l", (v,)), ("s_d, v_l", (s, v)), ("three shares, v_l", (*study.shares, v))):
        study.print_row(f"f_r, {name}", study.fitted(f, *parts), ~study.half)


if __name__ == "__main__":
    main()
