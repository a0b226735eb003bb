"""Digest of a source of training faces, by which a resumed training sees that it is still the same."""

import hashlib
import json

from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.config.train_data import SourceSection


def source_digest(section: SourceSection) -> str:
    """Return the SHA-256 (hex) over path and size of every file of a source, and over its scores.

    Contents are not read: a set of millions of faces would take longer to hash than an epoch.
    """
    files = [[entry.path, entry.bytes] for entry in sorted(Storage(section.url).stat(), key=lambda entry: entry.path)]
    whole = hashlib.sha256(json.dumps([section.format, section.weight, files]).encode())
    if section.scores:
        folder, _, name = section.scores.rpartition("/")
        whole.update(Storage(folder or ".").read(name))
    return whole.hexdigest()
