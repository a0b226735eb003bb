"""Reading of a run from its folder or URL: identities, samples and labels as Arrow tables, each file verified."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.generations import current
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.labels.label_pass import read_labels
from synfiqa.schemas.manifest import RunManifest


@dataclass(frozen=True)
class OpenedRun:
    """One generation of a run, for reading. Tables follow `synfiqa.schemas.rows`; only committed rows appear."""

    storage: Storage
    manifest: RunManifest

    @property
    def digest(self) -> str:
        """Merkle root (hex) over all committed rows."""
        return self._store().dataset_digest()

    def identities(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield candidates, accepted and rejected, one table (schema `CANDIDATES`) a committed unit."""
        yield from self._store().tables("identities", columns)

    def samples(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield references and degraded samples, one table (schema `SAMPLES`) a committed shard."""
        yield from self._store().tables("samples", columns)

    def labels(self, name: str | None = None) -> pa.Table:
        """Return the labels of a finished pass (schema `LABELS`), by default the one that the run's config names.

        Join them to samples by `sample_id`. UserError when the pass has not been run.
        """
        return read_labels(self.storage, name or str(self.manifest.config["label"]["name"]))

    def _store(self) -> ShardStore:
        return ShardStore(self.storage, self.manifest.fingerprint)


def open_run(url: str) -> OpenedRun:
    """Open the newest generation of a run folder (local path or fsspec URL); UserError when there is no run."""
    storage = current(url)
    return OpenedRun(storage, load_run(storage))
