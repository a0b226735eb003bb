"""A verification set as one Parquet file: one row an image, with the images that it is compared with.

Columns: `id` (text), `image` (Hugging Face image), `partner` (positions of later rows that it is compared with) and
`genuine` (whether each of these pairs shows one identity).
"""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from synfiqa.actors.imaging.codec import decode
from synfiqa.cluster.commits.shard_formats import encode
from synfiqa.fiqa_train.datasets.pair_table import PairTable, ordered_pairs
from synfiqa.fiqa_train.datasets.photo_files import BATCH
from synfiqa.fiqa_train.datasets.square_crops import square_crop
from synfiqa.fiqa_train.datasets.testset import Crops, TestSet
from synfiqa.schemas.errors import JobFailed, UserError

VERSION = "1"
_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("partner", pa.list_(pa.int32())),
        ("genuine", pa.list_(pa.bool_())),
    ]
)


def converted(ids: Sequence[str], images: Sequence[bytes], pairs: PairTable, source_sha256: str) -> bytes:
    """Return the content of the Parquet file of a set."""
    order = np.lexsort((pairs.second, pairs.first))
    bounds = np.searchsorted(pairs.first[order], np.arange(len(ids) + 1))
    second, genuine = pairs.second[order], pairs.genuine[order]
    parts = [slice(start, end) for start, end in pairwise(bounds)]
    columns = {
        "id": list(ids),
        "image": [{"bytes": image, "path": f"{name}.jpg"} for name, image in zip(ids, images, strict=True)],
        "partner": [second[part].tolist() for part in parts],
        "genuine": [genuine[part].tolist() for part in parts],
    }
    metadata = {"verification_set": VERSION, "source_sha256": source_sha256}
    return encode(pa.table(columns, schema=_SCHEMA), "parquet", metadata)


def is_converted(path: Path) -> bool:
    """Return whether a file has the ending of a converted set."""
    return path.suffix == ".parquet" and path.is_file()


def open_converted(name: str, path: Path, sha256: str, format: str = "converted set") -> TestSet:
    """Open a converted set; `sha256` is that of its source. UserError for another Parquet file or a damaged one."""
    try:
        metadata = json.loads((pq.read_metadata(path).metadata or {}).get(b"synfiqa", b"{}"))
        if metadata.get("verification_set") != VERSION:
            raise UserError(
                f"--on {name}: {path} is no converted set of version {VERSION}; give the .bin that it was made from"
            )
        table = pq.read_table(path, columns=["id", "partner", "genuine"], page_checksum_verification=True)
        pairs = _pairs(table)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise UserError(
            f"--on {name}: {path} is a damaged set ({error}); remove it and give the .bin that it was made from"
        ) from error
    return TestSet(
        name=name,
        format=format,
        protocol="the pairs of the file; identities are not in it, images that genuine pairs link count as one",
        sha256=sha256,
        ids=tuple(table["id"].to_pylist()),
        crops=partial(_crops, path),
        pairs=pairs,
    )


def _pairs(table: pa.Table) -> PairTable:
    """Return the pairs of a converted set; ValueError when they do not fit its rows."""
    partner, genuine = (table[name].combine_chunks() for name in ("partner", "genuine"))
    counts = partner.value_lengths().to_numpy(zero_copy_only=False)
    if not np.array_equal(counts, genuine.value_lengths().to_numpy(zero_copy_only=False)):
        raise ValueError("partners and labels differ in number")
    second = partner.flatten().to_numpy(zero_copy_only=False).astype(np.int64)
    if len(second) and not 0 <= second.min() <= second.max() < table.num_rows:
        raise ValueError("a pair names a row that is not there")
    first = np.repeat(np.arange(table.num_rows), counts)
    return ordered_pairs(first, second, genuine.flatten().to_numpy(zero_copy_only=False))


def _crops(path: Path) -> Iterator[Crops]:
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for batch in file.iter_batches(BATCH, columns=["image"]):
                images = [square_crop(decode(row["bytes"])) for row in batch["image"].to_pylist()]
                yield Crops(np.stack(images), ("",) * len(images))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise JobFailed(
            f"{path} is damaged ({error}): remove it, and the next call converts the source again"
        ) from error
