"""The document of an evaluation, `models/<name>/evaluation.json`.

It is written last and holds

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

Methods are those of `evaluate.scorers`, among them `model` and `label` (the oracle). Numbers without a value are null.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.actors.quality.correlation import spearman
from synfiqa.cluster.run.fingerprint import INPUT_FIELDS
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.evaluation.compare import number
from synfiqa.fiqa_train.evaluation.held_out import HeldOut
from synfiqa.fiqa_train.evaluation.pairs import MAX_IMPOSTORS, PairTable, count_pairs
from synfiqa.schemas.config.run import RunConfig

EVALUATION = "evaluation.json"
SCORES = "scores.parquet"


def evaluation_basis(
    run: ResolvedRun, training: Mapping[str, Any], embedders: list[Model], scorers: Mapping[str, str]
) -> dict[str, Any]:
    """Return everything that decides an evaluation: model, training, section `evaluate`, embedders, scorers, seed.

    `scorers` are the digests of weights that scorers read beside the model.
    """
    config = run.config
    return {
        "model_sha256": training.get("model_sha256", ""),
        "training": training.get("basis", {}),
        "evaluate": config.evaluate.model_dump(mode="json"),
        "evaluation_embedder": config.models.evaluation_embedder,
        "label_embedder": embedders[-1].name,
        "embedders": {model.name: run.digest(model) for model in embedders},
        "inputs": {model.name: model.card.model_dump(mode="json", include=INPUT_FIELDS) for model in embedders},
        "scorers": dict(scorers),
        "seed": config.run.seed,
    }


def existing_evaluation(storage: Storage, folder: str, basis: dict[str, Any]) -> dict[str, Any] | None:
    """Return the evaluation in a model's folder if it has this basis, else None."""
    try:
        found: dict[str, Any] = json.loads(storage.read(f"{folder}/{EVALUATION}"))
    except FileNotFoundError:
        return None
    return found if found.get("basis") == basis else None


def evaluation_document(
    config: RunConfig,
    basis: dict[str, Any],
    held_out: HeldOut,
    table: PairTable,
    qualities: Mapping[str, np.ndarray],
    results: list[dict[str, Any]],
    skipped: list[dict[str, Any]],
) -> dict[str, Any]:
    """Return the document of `results`, the one to quote first among them being the first."""
    labelled = ~np.isnan(held_out.label)
    n_genuine = int(table.genuine.sum())
    return {
        "basis": basis,
        "name": config.train.name,
        "identities": len(np.unique(held_out.identity)),
        "images": len(held_out.label),
        "degraded": int(labelled.sum()),
        "n_genuine": n_genuine,
        "n_impostor": len(table.genuine) - n_genuine,
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


def _headline(result: dict[str, Any]) -> dict[str, Any]:
    figures = {
        name: {"pauc": method["pauc"], "interval": method["interval"]} for name, method in result["methods"].items()
    }
    return {**{key: result[key] for key in ("embedder", "mode", "fmr", "discard_limit", "fnmr0")}, "methods": figures}
