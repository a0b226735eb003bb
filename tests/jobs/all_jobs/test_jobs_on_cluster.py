"""Label, verify and export by tasks of a cluster: the bytes of one process, its errors and its records."""

import hashlib
import shutil

import pytest
import yaml

import synfiqa.fiqa_train.labels.label_pass as label_pass
from synfiqa.actors.stages.shard_writer import sample_counts
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.pipeline.shard_tasks import ShardTasks
from synfiqa.cluster.ray_cluster import ray_address
from synfiqa.cluster.run.growth import grow
from synfiqa.cluster.run.lease import hold
from synfiqa.cluster.run.lease_record import newest_lease
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.upkeep.verify import verify_run
from synfiqa.cluster.upkeep.verify_share import FinishedTasks, Sample
from synfiqa.fiqa_train.export import shard_export
from synfiqa.fiqa_train.export.layouts import run_export
from synfiqa.fiqa_train.labels.label_additions import run_label_additions
from synfiqa.fiqa_train.labels.label_pass import run_label
from synfiqa.jobs.cli import main
from synfiqa.schemas.errors import JobFailed, RunHeld
from tests.cluster import synthetic
from tests.cluster.finished_run import finished_run
from tests.cluster.joined_cluster import joined_cluster
from tests.cluster.run.test_lease import put, record

pytestmark = pytest.mark.ray

SECTIONS = {
    "ranks": {},
    "costs": {"spatial": "costs", "match_threshold": 0.5},
}


@pytest.fixture(scope="module", autouse=True)
def cluster():
    with joined_cluster() as cluster:
        yield cluster


@pytest.fixture
def mapped(monkeypatch):
    """The jobs whose functions were mapped by tasks."""
    jobs, on_cluster = [], ShardTasks._on_cluster

    def counted(self, *arguments):
        jobs.append(self.job)
        return on_cluster(self, *arguments)

    monkeypatch.setattr(ShardTasks, "_on_cluster", counted)
    return jobs


@pytest.fixture
def alone(monkeypatch):
    """Run a call as on a machine without a cluster."""

    def run(call, *arguments, **settings):
        with monkeypatch.context() as patch:
            patch.setattr(ray_address, "own_cluster", lambda: True)
            return call(*arguments, **settings)

    return run


def labels_of(storage):
    return {path: storage.read(path) for path in storage.list("labels")}


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("spatial", SECTIONS)
def test_labels_and_what_a_growth_adds_are_equal_byte_for_byte(tmp_path, mapped, alone, spatial):
    made = []
    for where, call in (("cluster", lambda job, *a: job(*a)), ("alone", alone)):
        small, large = (synthetic.config(n, 4, label=SECTIONS[spatial]) for n in (22, 26))
        storage, manifest = synthetic.dataset(str(tmp_path / where), small)
        summary = call(run_label, small, storage)
        first = labels_of(storage)
        grow(storage, load_run(storage), 26)
        store = ShardStore(storage, manifest.fingerprint)
        for number, revision in ((5, 1), (6, 0)):
            table = synthetic.samples(range(number * 4, min(number * 4 + 4, 26)))
            store.commit("samples", number, table, sample_counts(table, ()), revision=revision)
        added = call(run_label_additions, large, storage)
        assert (summary["samples"], added["samples"]) == (22 * 12, 26 * 12)
        made.append((summary, first, added, labels_of(storage)))
    assert made[0] == made[1]
    assert mapped == ["label"] * 3


@pytest.mark.parametrize("seen", [True, False], ids=["folder seen", "folder of another machine"])
@pytest.mark.parametrize("layout", ["synfiqa", "parquet", "webdataset"])
def test_exports_are_equal_byte_for_byte(tmp_path, mapped, alone, monkeypatch, layout, seen):
    run = synthetic.config(11, 3)
    storage, _ = synthetic.dataset(str(tmp_path / "run"), run)
    alone(run_label, run, storage)
    counts = alone(run_export, storage, tmp_path / "alone", layout, "default")
    if not seen:
        monkeypatch.setattr("synfiqa.fiqa_train.export.layouts.ShardExport", _far_away)
    assert run_export(storage, tmp_path / "tasks", layout, "default") == counts
    assert files_of(tmp_path / "tasks") == files_of(tmp_path / "alone")
    assert mapped == ["export"]


def _far_away(store, layout, folder, *rest):
    """Export as a node that does not see the folder of the driver."""
    return shard_export.ShardExport(store, layout, folder.with_name("on another machine"), *rest)


def test_an_error_of_an_export_leaves_nothing(tmp_path, alone):
    run = synthetic.config(8, 4)
    storage, _ = synthetic.dataset(str(tmp_path / "run"), run)
    alone(run_label, run, storage)
    part = label_pass.require_calibration(storage, "default").parts[1]
    storage.write(part.path, b"x" * part.bytes)
    with pytest.raises(JobFailed, match=r"shard-000001-.* is damaged"):
        run_export(storage, tmp_path / "out", "parquet", "default")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_verification_finds_what_it_finds_alone(tmp_path, mapped, alone):
    storage, store, _ = finished_run(tmp_path / "run")
    assert verify_run(storage) == alone(verify_run, storage)
    for commit, change in ((store.get("samples", 0), b"?"), (store.get("identities", 1), b"")):
        path = tmp_path / "run" / commit.file.path
        path.write_bytes(path.read_bytes()[:-1] + change)
    found = verify_run(storage)
    assert [problem.kind for problem in found.problems] == ["short", "damaged"]
    assert found == alone(verify_run, storage)
    assert verify_run(storage, sample=Sample(number=2)) == alone(verify_run, storage, sample=Sample(number=2))
    assert mapped == ["verify"] * 3


def test_the_driver_records_what_tasks_have_verified(tmp_path, mapped):
    storage, _, _ = finished_run(tmp_path / "run")
    record_file = tmp_path / "record.jsonl"

    def interrupt(done, planned):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify_run(storage, progress=interrupt, finished=FinishedTasks(record_file))
    found = verify_run(storage, finished=FinishedTasks(record_file))
    assert found.remembered == 3
    assert (found.problems, found.files) == ([], found.all_files)


def test_a_label_task_looks_at_the_lease_before_it_writes(tmp_path, monkeypatch):
    """The driver has looked, and the run is taken over before a task writes."""
    run = synthetic.config(12, 4)
    storage, _ = synthetic.dataset(str(tmp_path / "run"), run)

    def taken_over_after(lease, within_s=0.0):
        put(storage, newest_lease(storage).epoch + 1, record(ttl_s=3600))

    monkeypatch.setattr(label_pass, "require_held", taken_over_after)
    with hold(storage, 60) as lease, pytest.raises(RunHeld, match="was taken over by far-away pid 4711") as raised:
        run_label(run, storage, lambda done, planned: None, lease=lease)
    assert raised.value.exit_code == 4
    assert storage.list("labels") == []


def test_the_commands_join_the_cluster_in_the_environment(tmp_path, monkeypatch, capsys, mapped, cluster):
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    monkeypatch.setenv("SYNFIQA_CACHE", str(tmp_path / "cache"))
    run = synthetic.config(8, 4, run={"url": str(tmp_path / "run")}, label={"match_threshold": None})
    synthetic.dataset(str(tmp_path / "run"), run)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(run.model_dump(mode="json")))
    config, folder = str(tmp_path / "config.yaml"), str(tmp_path / "run")
    for line in (["label", config], ["export", config, "--out", str(tmp_path / "out")], ["verify", folder]):
        with pytest.raises(SystemExit) as ended:
            main(line)
        assert not ended.value.code, capsys.readouterr().err
    assert mapped == ["label", "label", "export", "verify"]
    damaged = next((tmp_path / "run" / "samples").iterdir())
    damaged.write_bytes(hashlib.sha256(b"").digest())
    with pytest.raises(SystemExit) as ended:
        main(["verify", folder])
    assert ended.value.code == 1
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(SystemExit) as ended:
        main(["verify", folder])
    assert ended.value.code == 2
