"""Folder of a benchmark: its document, digests and verification."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from synfiqa.actors.imaging.codec import decode as decode_image
from synfiqa.cluster.commits.shard_formats import content_digest, decode
from synfiqa.cluster.run.fingerprint import LIBRARIES, canonical_json, library_version
from synfiqa.fiqa_train.rendered_benchmark.plan import VERSION, Settings
from synfiqa.fiqa_train.rendered_benchmark.render import faces_version
from synfiqa.schemas.errors import JobFailed, UserError

DOCUMENT = "benchmark.json"
IMAGE_TABLE = "images.parquet"
PAIR_TABLE = "pairs.parquet"
MAKING = "making"
"""Subfolder with the tables of identities already made; removed when the benchmark is finished."""
BASIS = f"{MAKING}/basis.json"

CHUNK = 1024
"""Images in memory at once: 38 MB."""
REMEDY = "remove the folder and make it again, or restore the file"
_FIELDS = {"version", "settings", "faces", "libraries", "counts", "files", "content", "digest"}


def basis(settings: Settings) -> dict[str, Any]:
    """Return all that decides the bytes: version, settings, faces (by a test rendering), libraries."""
    return {
        "version": VERSION,
        "settings": settings.model_dump(mode="json"),
        "faces": faces_version(),
        "libraries": {name: library_version(name) for name in LIBRARIES},
    }


def whole_digest(version: int, settings: Mapping[str, Any], content: Mapping[str, str]) -> str:
    """Return the digest of a benchmark, SHA-256 (hex) over settings and the digests of both tables."""
    document = {"version": version, "settings": dict(settings), "content": dict(content)}
    return hashlib.sha256(canonical_json(document)).hexdigest()


def contents(images: pa.Table, pairs: pa.Table) -> dict[str, str]:
    """Return the digests of both tables' values, independent of their Parquet encoding."""
    return {"images": content_digest(images), "pairs": content_digest(pairs)}


def counts(images: pa.Table, pairs: pa.Table) -> dict[str, Any]:
    """Count identities, images of each role, probes of each factor and pairs of each kind."""
    roles = Counter(images["role"].to_pylist())
    probes = zip(images["role"].to_pylist(), images["factor"].to_pylist(), strict=True)
    genuine = int(np.count_nonzero(pairs["genuine"].to_numpy(zero_copy_only=False)))
    return {
        "identities": len(set(images["identity"].to_pylist())),
        "references": roles["reference"],
        "probes": roles["probe"],
        "factors": dict(Counter(factor for role, factor in probes if role == "probe")),
        "genuine": genuine,
        "impostor": pairs.num_rows - genuine,
    }


@dataclass(frozen=True)
class Benchmark:
    """A finished benchmark: its document, one row an image, one row a comparison."""

    folder: Path
    document: dict[str, Any]
    images: pa.Table
    pairs: pa.Table

    @staticmethod
    def open(folder: Path) -> "Benchmark":
        """Read document and tables; UserError for no finished benchmark, JobFailed for a damaged table."""
        document = read_document(folder)
        damaged = [name for name in (IMAGE_TABLE, PAIR_TABLE) if _problem(folder, name, document["files"].get(name))]
        if damaged:
            raise JobFailed(f"{folder / damaged[0]} is damaged: {REMEDY}")
        images, pairs = (decode((folder / name).read_bytes(), "parquet") for name in (IMAGE_TABLE, PAIR_TABLE))
        return Benchmark(folder, document, images, pairs)

    def chunks(self) -> Iterator[np.ndarray]:
        """Yield all images uint8 RGB (up to 1,024, 112, 112, 3) in the order of their rows.

        JobFailed when one is missing or damaged.
        """
        rows = self.images.select(["path", "sha256"]).to_pylist()
        for start in range(0, len(rows), CHUNK):
            yield np.stack([self._pixels(row["path"], row["sha256"]) for row in rows[start : start + CHUNK]])

    def _pixels(self, path: str, digest: str) -> np.ndarray:
        if _problem(self.folder, path, digest):
            raise JobFailed(f"{self.folder / path} is damaged: {REMEDY}")
        return decode_image((self.folder / path).read_bytes())


def read_document(folder: Path) -> dict[str, Any]:
    """Read benchmark.json; UserError when there is none, or one without the fields of this version."""
    path = folder / DOCUMENT
    if not path.is_file():
        way = "run the same `synfiqa benchmark make` again" if (folder / BASIS).is_file() else "make one first"
        state = "an unfinished benchmark" if (folder / BASIS).is_file() else "no benchmark"
        raise UserError(f"{folder} is {state}: {way}")
    try:
        document = json.loads(path.read_bytes())
    except ValueError:
        document = None
    if not isinstance(document, dict) or not document.keys() >= _FIELDS:
        raise UserError(f"{path} is not the document of a benchmark: {REMEDY}")
    return document


def problems(folder: Path) -> list[str]:
    """Read every byte and return one line per file that is missing, damaged or foreign, and per wrong digest."""
    document = read_document(folder)
    expected = {DOCUMENT}
    found: list[str] = []

    def check(path: str, digest: object) -> bool:
        expected.add(path)
        problem = _problem(folder, path, digest)
        if problem:
            found.append(f"{problem} {path}")
        return not problem

    tables = [name for name in (IMAGE_TABLE, PAIR_TABLE) if check(name, document["files"].get(name))]
    if len(tables) == 2:
        images, pairs = (decode((folder / name).read_bytes(), "parquet") for name in tables)
        for row in images.select(["path", "sha256"]).to_pylist():
            check(row["path"], row["sha256"])
        found += _contradictions(document, images, pairs)
        present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
        found += [f"foreign {path}" for path in sorted(present - expected)]
    return found


def _contradictions(document: Mapping[str, Any], images: pa.Table, pairs: pa.Table) -> list[str]:
    content = contents(images, pairs)
    stated = {
        "content": content,
        "counts": counts(images, pairs),
        "digest": whole_digest(document["version"], document["settings"], content),
    }
    return [
        f"damaged {DOCUMENT}: its {name} is not that of the tables" for name in stated if document[name] != stated[name]
    ]


def _problem(folder: Path, path: str, digest: object) -> str:
    try:
        data = (folder / path).read_bytes()
    except OSError:
        return "missing"
    return "" if hashlib.sha256(data).hexdigest() == digest else "damaged"


def intact(folder: Path, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether all images of these rows (path, sha256) exist undamaged."""
    return not any(_problem(folder, row["path"], row["sha256"]) for row in rows)
