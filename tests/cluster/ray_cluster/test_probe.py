"""Each node is examined before work starts; a node that lacks something is named at once."""

import pytest

from synfiqa.cluster.ray_cluster.probe import Answer, examine, findings, probe
from synfiqa.cluster.run.fingerprint import library_versions
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.machine import cpu_class
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from tests.cluster.ray_cluster.free_ports import add_node, joined

GOOD = Answer("one", cpu_class(), ())


def test_a_node_like_the_driver_has_no_faults(tmp_path):
    Storage(str(tmp_path)).write("run.json", b"{}")
    assert examine(library_versions(RunConfig()), str(tmp_path), "run.json").faults == ()


def test_other_versions_and_a_folder_that_is_not_shared_are_faults(tmp_path):
    answer = examine({"pillow": "1.0", "synfiqa-dust": "2.0"}, str(tmp_path / "elsewhere"), "run.json")
    assert len(answer.faults) == 3
    assert answer.faults[0].endswith(", not 1.0")
    assert answer.faults[1] == "synfiqa-dust is not installed, not 2.0"
    assert answer.faults[2].startswith("it does not see what the driver writes to")


def test_some_bad_nodes_are_named_and_the_run_goes_on():
    said = findings([GOOD, Answer("two", cpu_class(), ("pillow is 11, not 12",), ("0.5 GiB are free on its disk",))])
    assert said == ["two: pillow is 11, not 12; 0.5 GiB are free on its disk"]


def test_a_run_without_any_fit_node_is_refused():
    with pytest.raises(UserError, match=r"no node of the cluster can work for this run \(two: it cannot run synfiqa"):
        findings([Answer("two", "", ("it cannot run synfiqa (No module named 'cv2')",))])


def test_nodes_with_other_instruction_sets_are_named():
    (said,) = findings([GOOD, Answer("two", "x86_64 avx2 fma avx512f amx_tile sve", ())])
    assert said.startswith("nodes differ in what decides rounding (the driver has ")
    assert "two has x86_64 avx2 fma avx512f amx_tile sve" in said


def test_one_machine_has_nothing_to_probe():
    assert findings([]) == []


@pytest.mark.ray
def test_a_second_node_answers_for_itself(tmp_path):
    from synfiqa.cluster.pipeline.ray_session import prepare_environment

    prepare_environment()
    Storage(str(tmp_path)).write("run.json", b"{}")
    with joined(num_cpus=1) as cluster:
        assert probe({"pillow": "1.0"}, str(tmp_path), "run.json", 60) == []
        add_node(cluster, num_cpus=0)
        (answer,) = probe({"pillow": "1.0"}, str(tmp_path), "run.json", 60)
        assert answer.cpus == cpu_class()
        assert [fault.split(" is ")[0] for fault in answer.faults] == ["pillow"]
        assert probe({"pillow": "1.0"}, str(tmp_path), "run.json", 0) == []
