"""Rows of `OFIQ-Commanded.csv`: OFIQ's components of the images of an export, as far as a run states them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synfiqa.fiqa_train.ofiq.commanded_components import commanded
from synfiqa.fiqa_train.ofiq.csv_table import HEADER, ofiq_lines

LINES = 65_536
"""Rows whose text is made at once."""


@dataclass(frozen=True)
class CommandedRows:
    """Identity, index and kind of images (N,), and float64 (N,) native values and scalars by component."""

    identity: np.ndarray
    index: np.ndarray
    reference: np.ndarray
    native: dict[str, np.ndarray]
    scalars: dict[str, np.ndarray]


def published_path(identity: int, index: int, *, reference: bool) -> str:
    """Return the path of an image in the published layout."""
    return f"data/{identity}/{f'Ref-{index}' if reference else index}.jpg"


def commanded_rows(samples: pa.Table) -> CommandedRows:
    """Return the rows of samples, which have the columns of `commanded`."""
    identity, index = (samples[name].to_numpy().astype(np.int64) for name in ("identity", "index"))
    reference = pc.equal(samples["kind"], "reference").to_numpy()
    return CommandedRows(identity, index, reference, *commanded(samples))


def commanded_csv(shards: Sequence[CommandedRows]) -> Iterator[str]:
    """Yield the lines of the CSV: the header, then images by identity, references first, and index."""
    yield HEADER + "\n"
    if not shards:
        return
    identity, index, reference = (
        np.concatenate([getattr(shard, name) for shard in shards]) for name in ("identity", "index", "reference")
    )
    native, scalars = (
        {name: np.concatenate([getattr(shard, part)[name] for shard in shards]) for name in getattr(shards[0], part)}
        for part in ("native", "scalars")
    )
    order = np.lexsort((index, ~reference, identity))
    for start in range(0, len(order), LINES):
        rows = order[start : start + LINES]
        names = [published_path(int(identity[row]), int(index[row]), reference=bool(reference[row])) for row in rows]
        own = ({name: values[rows] for name, values in part.items()} for part in (native, scalars))
        yield from (line + "\n" for line in ofiq_lines(names, *own))
