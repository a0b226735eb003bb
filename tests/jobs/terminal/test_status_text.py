"""The status of a run: for people and as JSON."""

import json

from synfiqa.cluster.commits.shard_store import commit_path
from synfiqa.cluster.run.lease import hold
from synfiqa.cluster.telemetry.spans import StageTrace, to_provenance
from synfiqa.jobs.terminal.status_text import run_status
from tests.cluster.finished_run import finished_run


def test_lines_for_people(tmp_path, capsys):
    storage, _, _ = finished_run(tmp_path)
    run_status(storage)
    out = capsys.readouterr().out
    assert "state       finished" in out
    assert "driver      no driver" in out
    assert "8 planned = 6 accepted + 2 rejected (2 glasses) + 0 dead" in out
    assert "samples     84 of 84 (100 %): 84 accepted (12 references), 0 dead" in out
    assert "shards      3 of 3 (100 %)" in out


def test_one_json_document(tmp_path, capsys):
    storage, _, _ = finished_run(tmp_path)
    with hold(storage, 60):
        run_status(storage, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["shards"] == {"planned": 3, "done": 3}
    assert document["driver"]["held"]
    assert document["candidates"]["rejected"] == {"glasses": 2}


def trace_shards(storage):
    """Note in each shard that one GPU worker painted it in 100 s, without a pause."""
    for number in range(3):
        path = commit_path("samples", number)
        painted = StageTrace(1000.0 + 100 * number, "node/1@900", "GPU-1", 0.95, 12 * 2**30)
        entries = to_provenance({"conditional_generator": 100.0}, {"conditional_generator": painted})
        storage.write(path, json.dumps(json.loads(storage.read(path)) | {"provenance": entries}).encode())


def test_the_trace_comes_when_asked_for(tmp_path, capsys):
    storage, _, _ = finished_run(tmp_path)
    run_status(storage, trace=True)
    assert "trace       none: no commit records its stages yet" in capsys.readouterr().out
    trace_shards(storage)
    run_status(storage)
    assert "conditional_generator" not in capsys.readouterr().out
    run_status(storage, trace=True)
    lines = capsys.readouterr().out.splitlines()[-3:]
    assert " ".join(lines[0].split()) == "stage units busy s/unit workers busy share GPU busy GPU memory"
    assert " ".join(lines[1].split()) == "conditional_generator 3 5:00 100 1 100.0 % 95.0 % 12.0 GiB"
    assert len(lines[0]) == len(lines[1])
    assert lines[2] == "Steady 3:20 of samples: 1 worker of conditional_generator at work 100.0 %, 1 GPU busy 95.0 %."


def test_the_trace_is_in_the_json_document_when_asked_for(tmp_path, capsys):
    storage, _, _ = finished_run(tmp_path)
    trace_shards(storage)
    run_status(storage, as_json=True)
    assert json.loads(capsys.readouterr().out)["trace"] is None
    run_status(storage, as_json=True, trace=True)
    trace = json.loads(capsys.readouterr().out)["trace"]
    assert (trace["steady_s"], trace["gpu_busy"]) == (200.0, 0.95)
    assert trace["stages"][0]["median_s"] == 100.0
