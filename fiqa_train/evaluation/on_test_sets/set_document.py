"""The document of an evaluation on a test set, `models/<name>/evaluation-<NAME>.json`, and the scores beside it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from synfiqa.cluster.commits.shard_formats import encode
from synfiqa.fiqa_train.datasets.testset import TestSet
from synfiqa.fiqa_train.evaluation.document import headline
from synfiqa.fiqa_train.evaluation.on_test_sets.set_pairs import SetPairs
from synfiqa.schemas.evaluation import (
    EvaluationBasis,
    LeftOut,
    NetworkComparison,
    ScoreFileRecord,
    SetBasis,
    SetEvaluation,
    SetId,
    Skipped,
)

NAMED = 100
"""Images without a face that the document names."""


def result_path(folder: str, name: str) -> str:
    """Return the path of the result on a set in the folder of a model."""
    return f"{folder}/evaluation-{name}.json"


def scores_path(folder: str, name: str) -> str:
    """Return the path of the qualities of each image of a set in the folder of a model."""
    return f"{folder}/scores-{name}.parquet"


def set_basis(basis: EvaluationBasis, test_set: TestSet, external: Mapping[str, str]) -> SetBasis:
    """Return all that decides the evaluation on a set; `external` are the digests of its files of `--scores`."""
    found = SetId(
        name=test_set.name,
        format=test_set.format,
        sha256=test_set.sha256,
        protocol=test_set.protocol,
        crops=test_set.crops_from,
    )
    return SetBasis(**dict(basis) | {"scorers": basis.scorers | dict(external)}, test_set=found)


def set_document(
    name: str,
    basis: SetBasis,
    test_set: TestSet,
    reasons: Sequence[str],
    planned: SetPairs,
    compared: SetPairs,
    scorers_left_out: list[LeftOut],
    results: list[NetworkComparison],
    skipped: list[Skipped],
    seen: list[str],
    score_files: list[ScoreFileRecord],
) -> SetEvaluation:
    """Return the document; `reasons` are those of the images, empty where there is a face; `seen` names models."""
    n_genuine, n_impostor = compared.counts
    missing = [
        LeftOut(name=image, reason=reason) for image, reason in zip(test_set.ids, reasons, strict=True) if reason
    ]
    return SetEvaluation(
        basis=basis,
        name=name,
        images=len(test_set.ids),
        templates=len(test_set.templates.names) if test_set.templates else None,
        identities=len(np.unique(planned.identity)),
        identities_from=planned.identities_from,
        without_face=len(missing),
        left_out=missing[:NAMED],
        pairs_left_out=len(planned.table.first) - len(compared.table.first),
        n_genuine=n_genuine,
        n_impostor=n_impostor,
        impostors_sampled=planned.sampled,
        pairs=planned.protocol,
        repeated_pairs=planned.repeated,
        contradictory_pairs=planned.contradictory,
        scorers_left_out=scorers_left_out,
        results=results,
        skipped=skipped,
        seen=bool(seen),
        seen_by=seen,
        score_files=score_files,
        headline=headline(results[0]),
    )


def set_score_table(test_set: TestSet, qualities: Mapping[str, np.ndarray]) -> bytes:
    """Return one row an image with its id and its quality (N,) by method, -inf without a face."""
    return encode(pa.table({"id": list(test_set.ids), **qualities}), "parquet", {})
