"""Rows of `Scorer-Scores.csv`: the scores of `models.scorers` of the images of an export."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from synfiqa.fiqa_train.export.ofiq_rows import published_path
from synfiqa.schemas.rows import SCORE_PREFIX

_PLACE = ("identity", "kind", "index")


def score_columns(recipe: dict) -> tuple[str, ...]:
    """Return the score columns of the samples of a run, given the recipe of its manifest."""
    return tuple(SCORE_PREFIX + name for name in sorted(recipe["models"].get("scorers", [])))


def scorer_rows(samples: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Return place and scores of samples."""
    return samples.select([*_PLACE, *columns])


def scores_csv(shards: Sequence[pa.Table]) -> Iterator[str]:
    """Yield the lines of the CSV: the header, then images by identity, references first, and index."""
    table = pa.concat_tables(shards)
    names = [name for name in table.column_names if name not in _PLACE]
    yield ",".join(["path", *(name.removeprefix(SCORE_PREFIX) for name in names)]) + "\n"
    degraded = pc.equal(table["kind"], "degraded").cast(pa.int8())
    ordered = table.append_column("late", degraded)
    ordered = ordered.sort_by([("identity", "ascending"), ("late", "ascending"), ("index", "ascending")])
    for batch in ordered.to_batches(max_chunksize=65_536):
        for row in batch.to_pylist():
            path = published_path(row["identity"], row["index"], reference=row["kind"] == "reference")
            values = ("" if row[name] is None else f"{row[name]:.9g}" for name in names)
            yield ",".join([path, *values]) + "\n"
