"""Verification sets as InsightFace packs them (`lfw.bin`, `agedb_30.bin`, ...), converted once to Parquet."""

import hashlib
from pathlib import Path

import numpy as np

from synfiqa.actors.imaging.codec import decode
from synfiqa.actors.model_store.cache import cache_folder
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.datasets.bin_pickle import read_bin
from synfiqa.fiqa_train.datasets.converted_set import VERSION, converted, open_converted
from synfiqa.fiqa_train.datasets.pair_table import PairTable, ordered_pairs
from synfiqa.fiqa_train.datasets.square_crops import square_crop
from synfiqa.fiqa_train.datasets.testset import TestSet
from synfiqa.schemas.errors import UserError

FORMAT = "InsightFace .bin"


def is_bin(path: Path) -> bool:
    """Return whether a file has the ending of a packed set."""
    return path.suffix == ".bin" and path.is_file()


def open_bin(name: str, path: Path) -> TestSet:
    """Open a packed set, converted to the cache folder where it is not there yet; UserError for a bad file.

    Equal images are one image, so that each is scored once. The file in the cache is named by the digest of the source.
    """
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    folder = cache_folder() / "test-sets"
    target = folder / f"{path.stem}-{digest[:16]}-v{VERSION}.parquet"
    if not target.is_file():
        try:
            content = _convert(data, digest)
        except ValueError as error:
            raise UserError(f"--on {name}: {path} is no verification set ({error}); download it again") from error
        Storage(str(folder)).write(target.name, content)
    return open_converted(name, target, digest, FORMAT)


def _convert(data: bytes, digest: str) -> bytes:
    packed, genuine = read_bin(data)
    places: dict[bytes, int] = {}
    positions = np.array([places.setdefault(image, len(places)) for image in packed], np.int64)
    for image, place in places.items():
        try:
            square_crop(decode(image))
        except ValueError as error:
            number = int(np.flatnonzero(positions == place)[0])
            raise ValueError(f"image {number} of pair {number // 2}: {error}") from error
    return converted([f"{place:05d}" for place in places.values()], list(places), _pairs(positions, genuine), digest)


def _pairs(positions: np.ndarray, genuine: list[bool]) -> PairTable:
    return ordered_pairs(positions[0::2], positions[1::2], np.array(genuine, bool))
