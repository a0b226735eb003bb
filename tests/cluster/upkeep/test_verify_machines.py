"""A run made on different kinds of machines is named as such."""

from synfiqa.cluster.telemetry.spans import StageTrace, to_provenance
from synfiqa.cluster.upkeep.verify_machines import machine_notes
from synfiqa.schemas.manifest import Commit, DataFile

FILE = DataFile(path="samples/shard-000000-aaaaaaaaaaaa.parquet", sha256="0" * 64, bytes=1, rows=1)


def made(number: int, machine: str) -> Commit:
    return Commit(
        kind="samples",
        number=number,
        file=FILE,
        content_sha256="0" * 64,
        counts={},
        fingerprint="0" * 64,
        provenance=to_provenance({"annotator": 1.0}, {"annotator": StageTrace(0.0, "a/1@0", machine=machine)}),
    )


def test_one_kind_of_machine_and_older_runs_are_no_note():
    assert machine_notes({("samples", 0): made(0, "avx2"), ("samples", 1): made(1, "avx2")}) == []
    assert machine_notes({("samples", 0): made(0, ""), ("samples", 1): made(1, "avx2")}) == []


def test_a_mixed_run_is_named_with_both_kinds_and_some_units():
    """Half of the pictures of a run came from a node with other libraries, and verify said that all was well."""
    (note,) = machine_notes({("samples", n): made(n, "avx2" if n else "avx512f") for n in range(6)})
    assert note == (
        "mixed: annotator ran on 2 kinds of machines, whose pixels may differ in the last bits: avx2 made samples 1, "
        "samples 2, samples 3 and 2 more; avx512f made samples 0"
    )
