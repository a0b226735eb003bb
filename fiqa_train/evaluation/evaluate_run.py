"""Job: compare the trained model with baselines on identities that it never saw (EDC and pAUC, spec 6.2-6.4).

`models/<name>/evaluation.json`, written last, holds

- `basis`: what was evaluated (model digest, label, evaluate section, embedders and their digests, seed);
- `identities`, `images`, `degraded`, `n_genuine`, `n_impostor`, `impostors_sampled`, `pairs`: the held-out
  set and which of its pairs count (probe-reference or all);
- `spearman`: rank correlation with the label over held-out degraded samples, per method;
- `results`: one entry per embedder, mode and FMR: `embedder`, `independent` (false for the network that the labels
  came from), `mode` (leaderboard or fixed), `fmr`, `discard_limit` (R), `fnmr0` (F_0), `threshold0`, `n_genuine`,
  `n_impostor`; `methods` -> `pauc`, `note`, `discard` and `fnmr` (the curve), `interval` (`low`, `high`, `used`,
  `resamples`; null without bootstrap); `differences`: pAUC of `method` minus that of `other`, with a paired interval;
- `skipped`: FMRs that the held-out pairs are too few for, each with its `reason`;
- `headline`: embedder, mode, FMR and per-method pAUC and interval of the figure to quote first.

Methods are `model`, `label` (the oracle), `laplacian` and `random`. Numbers without a value are null.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from synfiqa.actors.imaging.codec import decode as decode_image
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.resolved_run import ResolvedRun, resolve
from synfiqa.actors.players import player
from synfiqa.actors.quality.correlation import spearman
from synfiqa.actors.roles import Embedder
from synfiqa.cluster.commits.shard_formats import encode
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.fingerprint import INPUT_FIELDS
from synfiqa.cluster.run.lease import Lease, require_held
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.preflight import preflight
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.progress import Phase
from synfiqa.fiqa_train.evaluation.baselines import label_quality, random_quality, sharpness
from synfiqa.fiqa_train.evaluation.compare import Protocol, compare, number, resolvable
from synfiqa.fiqa_train.evaluation.pairs import (
    MAX_IMPOSTORS,
    count_pairs,
    embed_flipped,
    enumerate_pairs,
    pair_similarity,
    probe_reference_pairs,
)
from synfiqa.fiqa_train.labels.label_pass import require_calibration, require_fresh_labels
from synfiqa.fiqa_train.labels.parts import pair_shards
from synfiqa.fiqa_train.training.checkpoints import load_trained, model_folder
from synfiqa.fiqa_train.training.train_run import finished_training, label_table, split_run, training_basis
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import JobFailed, UserError

EVALUATION = "evaluation.json"
SCORES = "scores.parquet"
MAX_IMAGES = 20_000
"""Held-out images beyond which whole identities are left out, in order of their number."""
VERSUS = (("model", "laplacian"), ("model", "random"), ("model", "label"))

Progress = Callable[[int, int], None]
"""Called with steps done and steps planned."""


def run_evaluate(
    config: RunConfig,
    storage: Storage,
    progress: Progress | None = None,
    *,
    lease: Lease | None = None,
    resolved: ResolvedRun | None = None,
) -> dict[str, Any]:
    """Evaluate `models/<train.name>/` on the test identities and return the evaluation; one that exists is returned.

    UserError when the model is not trained (or from something else) or no FMR can be shown by the held-out pairs;
    JobFailed when there are no held-out images; RunHeld, before the next write, when the run is taken over from
    `lease`.
    """
    # so small networks gain nothing from more threads, and lose much on a machine that does other work
    torch.set_num_threads(1)
    name, folder = config.train.name, model_folder(config.train.name)
    manifest = load_run(storage)
    store = ShardStore(storage, manifest.fingerprint)
    calibration = require_calibration(storage, config.label.name)
    require_fresh_labels(store, calibration)
    run = resolved or resolve(config)
    training = finished_training(storage, name, training_basis(run, manifest, calibration))
    model = load_trained(storage, name)
    embedders = _embedders(run, calibration.embedder or config.models.embedder)
    basis = _basis(run, training or {}, embedders)
    existing = _existing(storage, folder, basis)
    if existing is not None:
        return existing

    preflight(storage)
    steps = _Steps(progress, 3 + 2 * len(embedders))
    labels = label_table(storage, pair_shards(store.committed("samples").values(), calibration.parts))
    splits = split_run(config, labels["identity"].to_pylist())
    held_out = _read_images(store, {identity for identity, split in splits.items() if split == "test"}, labels)
    table = enumerate_pairs(held_out.identity, MAX_IMPOSTORS, config.run.seed)
    if config.evaluate.pairs == "probe-reference":
        table = probe_reference_pairs(table, np.isnan(held_out.label))
    n_genuine = int(table.genuine.sum())
    n_impostor = len(table.genuine) - n_genuine
    fmrs, skipped = resolvable(config.evaluate.fmr, n_genuine, n_impostor)
    if not fmrs:
        raise UserError(f"evaluate.fmr cannot be shown by the held-out images: {skipped[-1]['reason']}")
    steps.done()

    qualities = {
        "model": model.score(held_out.images).astype(np.float64),
        "label": label_quality(held_out.label),
        "laplacian": sharpness(held_out.images),
        "random": random_quality(len(held_out.label), config.run.seed),
    }
    steps.done()
    results: list[dict[str, Any]] = []
    for position, embedder in enumerate(embedders):
        similarity = pair_similarity(embed_flipped(load_embedder(embedder), held_out.images), table)
        steps.done()
        resamples = config.evaluate.bootstrap if position == 0 else 0
        protocol = Protocol(fmrs, config.evaluate.discard_limit, resamples, config.run.seed)
        found = compare(qualities, similarity, table, held_out.identity, protocol, VERSUS)
        independent = embedder.name != embedders[-1].name
        results += [{"embedder": embedder.name, "independent": independent, **result} for result in found]
        steps.done()
    labelled = ~np.isnan(held_out.label)
    evaluation = {
        "basis": basis,
        "name": name,
        "identities": len(np.unique(held_out.identity)),
        "images": len(held_out.label),
        "degraded": int(labelled.sum()),
        "n_genuine": n_genuine,
        "n_impostor": n_impostor,
        "impostors_sampled": count_pairs(held_out.identity)[1] > MAX_IMPOSTORS,
        "pairs": config.evaluate.pairs,
        "spearman": {
            method: number(spearman(quality[labelled], held_out.label[labelled]))
            for method, quality in qualities.items()
            if method != "label"
        },
        "results": results,
        "skipped": skipped,
        "headline": _headline(results[0]),
    }
    require_held(lease)
    storage.write(f"{folder}/{SCORES}", _scores(held_out, qualities))
    require_held(lease)
    storage.write(f"{folder}/{EVALUATION}", json.dumps(evaluation, indent=1, allow_nan=False).encode() + b"\n")
    steps.done()
    return evaluation


class _Steps:
    def __init__(self, progress: Progress | None, planned: int) -> None:
        self._progress, self._planned, self._count = progress, planned, 0
        self._phase = Phase("evaluate", planned, "steps") if progress is None else None

    def done(self) -> None:
        self._count += 1
        if self._progress is not None:
            self._progress(self._count, self._planned)
        if self._phase is not None:
            self._phase.advance()
            if self._count == self._planned:
                self._phase.close()


def _basis(run: ResolvedRun, training: Mapping[str, Any], embedders: list[Model]) -> dict[str, Any]:
    config = run.config
    return {
        "model_sha256": training.get("model_sha256", ""),
        "training": training.get("basis", {}),
        "evaluate": config.evaluate.model_dump(mode="json"),
        "evaluation_embedder": config.models.evaluation_embedder,
        "label_embedder": embedders[-1].name,
        "embedders": {model.name: run.digest(model) for model in embedders},
        "inputs": {model.name: model.card.model_dump(mode="json", include=INPUT_FIELDS) for model in embedders},
        "seed": config.run.seed,
    }


def load_embedder(model: Model) -> Embedder:
    """Return the embedder, ready to use."""
    embedder: Embedder = player(model)
    return embedder


def _embedders(run: ResolvedRun, labelling: str) -> list[Model]:
    """Return the independent embedder, then the one that labelled, unless they are one."""
    independent = run.models.evaluation_embedder
    labelled = run.catalogue.model(labelling, "embedder")
    return [independent] if independent.name == labelled.name else [independent, labelled]


def _existing(storage: Storage, folder: str, basis: dict[str, Any]) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(storage.read(f"{folder}/{EVALUATION}"))
    except FileNotFoundError:
        return None
    return found if found.get("basis") == basis else None


class _HeldOut:
    """Held-out images uint8 RGB (N, 112, 112, 3) with identity, sample id, kind and label (NaN for references)."""

    def __init__(self, rows: list[dict[str, Any]], labels: Mapping[str, float]) -> None:
        self.images = np.stack([row["pixels"] for row in rows])
        self.identity = np.array([row["identity"] for row in rows], np.int64)
        self.sample_id = [str(row["sample_id"]) for row in rows]
        self.kind = [str(row["kind"]) for row in rows]
        self.label = np.array([labels.get(name, np.nan) for name in self.sample_id])


def _read_images(store: ShardStore, identities: set[int], labels: pa.Table) -> _HeldOut:
    rows = _held_out_rows(store, identities)
    if not rows:
        raise JobFailed(f"the run {store.storage.uri()} has no held-out images; generate more identities")
    kept = pa.array(sorted({row["identity"] for row in rows}), pa.int64())
    own = labels.filter(pc.is_in(labels["identity"], kept))
    return _HeldOut(rows, dict(zip(own["sample_id"].to_pylist(), own["quality"].to_pylist(), strict=True)))


def _held_out_rows(store: ShardStore, identities: set[int]) -> list[dict[str, Any]]:
    """Return samples of whole identities, shard by shard; no further shard is read once there are MAX_IMAGES."""
    rows: list[dict[str, Any]] = []
    for table in store.tables("samples", ["sample_id", "identity", "kind", "image"]):
        for identity in sorted(identities.intersection(table["identity"].to_pylist())):
            rows += [_pixels(row) for row in table.filter(pc.equal(table["identity"], identity)).to_pylist()]
            if len(rows) >= MAX_IMAGES:
                return rows
    return rows


def _pixels(row: dict[str, Any]) -> dict[str, Any]:
    try:
        return {**row, "pixels": decode_image(row["image"]["bytes"])}
    except ValueError as error:
        raise JobFailed(
            f"the image of sample {row['sample_id']} cannot be used ({error}); generate it again"
        ) from error


def _scores(held_out: _HeldOut, qualities: Mapping[str, np.ndarray]) -> bytes:
    columns = {"sample_id": held_out.sample_id, "identity": held_out.identity, "kind": held_out.kind, **qualities}
    columns["label"] = pa.array(held_out.label, from_pandas=True)
    return encode(pa.table(columns), "parquet", {})


def _headline(result: dict[str, Any]) -> dict[str, Any]:
    figures = {
        name: {"pauc": method["pauc"], "interval": method["interval"]} for name, method in result["methods"].items()
    }
    return {**{key: result[key] for key in ("embedder", "mode", "fmr", "discard_limit", "fnmr0")}, "methods": figures}
