"""Vectors of a set of faces by a recognition network, stored in a run so that each set and network is embedded once."""

import hashlib
import json
from collections.abc import Callable
from functools import partial

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from synfiqa.actors.model_store.catalogue import Model
from synfiqa.cluster.run.fingerprint import INPUT_FIELDS, canonical_json, libraries_digest
from synfiqa.cluster.run.lease import Lease, require_held
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.model_card import BUILT_IN

FOLDER = "vectors"
"""Folder of a run with one file a set and network; deleting it costs time alone."""


def stored_vectors(
    storage: Storage,
    model: Model,
    digest: str,
    images: np.ndarray,
    embed: Callable[[], np.ndarray],
    *,
    lease: Lease | None = None,
) -> np.ndarray:
    """Return float32 vectors (N, D) of uint8 faces (N, 112, 112, 3): those stored, else `embed()`, which are stored.

    `digest` is that of the model. A file that is damaged or of other images is made again. Vectors of code without
    weights are not stored, since nothing says when they change.
    """
    if digest == BUILT_IN:
        return embed()
    faces = hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()
    return vectors_of_file(storage, model, digest, faces, len(images), embed, partial(require_held, lease))


def vectors_of_file(
    storage: Storage,
    model: Model,
    digest: str,
    content: str,
    count: int,
    embed: Callable[[], np.ndarray],
    before_write: Callable[[], None],
) -> np.ndarray:
    """Return vectors as `stored_vectors` of `count` faces that need not be decoded: `content` is a digest of them.

    `before_write` raises where the run was taken over.
    """
    if digest == BUILT_IN:
        return embed()
    path = f"{FOLDER}/{model.name}-{_key(model, digest, content, count)[:24]}.safetensors"
    try:
        return _parsed(storage.read(path), count)
    except (FileNotFoundError, ValueError, KeyError, SafetensorError):
        vectors = np.ascontiguousarray(embed(), np.float32)
    before_write()
    storage.write(path, save({"vectors": vectors}, metadata={"sha256": hashlib.sha256(vectors.tobytes()).hexdigest()}))
    return vectors


def _key(model: Model, digest: str, content: str, count: int) -> str:
    """Return the SHA-256 over all that decides the vectors: faces in their order, network, its input, libraries."""
    inputs = model.card.model_dump(mode="json", include=INPUT_FIELDS)
    return hashlib.sha256(canonical_json([content, count, digest, inputs, libraries_digest()])).hexdigest()


def _parsed(data: bytes, count: int) -> np.ndarray:
    """Return the vectors of a file; ValueError, KeyError or SafetensorError when it is damaged."""
    vectors: np.ndarray = load(data)["vectors"]
    stated = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]["sha256"]
    if len(vectors) != count or hashlib.sha256(vectors.tobytes()).hexdigest() != stated:
        raise ValueError("its vectors are damaged")
    return vectors
