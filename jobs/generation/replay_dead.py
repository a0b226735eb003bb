"""Makes the dead rows of a run again after their cause is gone; planned = accepted + rejected + dead still holds."""

from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.generation.dataset import run_generate
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.manifest import DatasetSummary


def run_replay(config: RunConfig, storage: Storage) -> DatasetSummary:
    """Make dead candidates and the identities with dead samples once more, and finish the run.

    A candidate is decided when it is replayed, after all that were decided before. A shard is committed as its next
    revision: replayed identities get the bytes that they would have had at first, the others are unchanged.
    """
    return run_generate(config, storage, replay=True)
