"""What a shard's commit says of the samples that were not made: rejected by reason, or dead."""

from synfiqa.actors.stages.shard_writer import ShardWriterStage, sample_counts
from synfiqa.cluster.pipeline.stage import Work
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.spans import Span, StageTrace, from_provenance
from synfiqa.cluster.upkeep.status import read_status
from synfiqa.cluster.upkeep.verify import verify_run
from synfiqa.jobs.terminal.status_text import status_lines
from synfiqa.schemas.manifest import DeadRow
from tests.cluster.finished_run import finished_run, samples

REJECTED = DeadRow(
    item="000001/4", stage="conditional_generator", error="3 faces", reason="crowd", value=3.0, attempts=2
)
DEAD = DeadRow(item="000000/2", stage="conditional_generator", error="ValueError: no", attempts=2)


def without(table, *names):
    return table.filter([name not in names for name in table["sample_id"].to_pylist()])


def test_planned_is_accepted_rejected_and_dead():
    table = without(samples(range(2)), "000001/4", "000000/2")
    counts = sample_counts(table, [REJECTED, DEAD])
    assert (counts["planned"], counts["accepted"], counts["rejected"], counts["dead"]) == (28, 26, 1, 1)
    assert counts["rejected:crowd"] == 1


def test_rejected_samples_are_finished_work_that_verify_and_status_account_for(tmp_path):
    storage, store, _ = finished_run(tmp_path / "run")
    (tmp_path / "run/commits/shard-000000.json").unlink()
    writer = ShardWriterStage(Storage(str(tmp_path / "run")), store.fingerprint, "parquet")
    writer.process(Work("samples", 0, without(samples(range(2)), "000001/4"), dead=(REJECTED,)))
    verified = verify_run(storage)
    assert verified.problems == []
    assert verified.summary.samples_rejected == {"crowd": 1}
    assert verified.summary.samples_dead == 0
    status = read_status(storage)
    assert status.samples.made == status.samples.planned
    assert any("83 accepted" in line and "1 crowd rejected" in line for line in status_lines(status))


def test_a_replay_keeps_what_was_rejected_of_the_identities_it_leaves_alone(tmp_path):
    _, store, _ = finished_run(tmp_path / "run")
    (tmp_path / "run/commits/shard-000000.json").unlink()
    writer = ShardWriterStage(store.storage, store.fingerprint, "parquet")
    table = without(samples(range(2)), "000001/4", "000000/2")
    writer.process(Work("samples", 0, table, dead=(REJECTED, DEAD)))
    again = Work("samples", 0, samples(range(1)), plan={"revision": 1, "only": [0]})
    writer.process(again)
    newest = store.committed("samples")[0]
    assert (newest.revision, newest.counts["dead"], newest.counts["rejected:crowd"]) == (1, 0, 1)
    assert store.dead_rows(newest) == [REJECTED]
    assert verify_run(store.storage).problems == []


def test_a_commit_remembers_when_and_where_its_stages_worked(tmp_path):
    _, store, _ = finished_run(tmp_path / "run")
    (tmp_path / "run/commits/shard-000000.json").unlink()
    painted = StageTrace(1000.5, "node/7@900", "GPU-1", 0.9, 2**30)
    work = Work(
        "samples",
        0,
        samples(range(2)),
        busy={"conditional_generator": 12.25},
        notes={"micro_batch_conditional_generator": "4"},
        traces={"conditional_generator": painted},
    )
    ShardWriterStage(store.storage, store.fingerprint, "parquet").process(work)
    provenance = store.committed("samples")[0].provenance
    assert from_provenance(provenance) == {
        "conditional_generator": Span(1000.5, "node/7@900", "GPU-1", 0.9, 2**30, seconds=12.25)
    }
    assert provenance["micro_batch_conditional_generator"] == "4"
    assert {"node", "process"} <= provenance.keys()
