"""The calibration of a config sizes its manifests, and that of another one is refused."""

import yaml

from synfiqa.jobs.config import load_config
from synfiqa.jobs.workflows.deploy.calibration_file import read_calibration, write_calibration
from tests.cluster.deploy.rendered import CONFIG, documents, refused, rendered

FOUND = {"device": "cuda", "placement": {"gpu_memory_mb": 24000, "memory_mb": {"annotator": 3000}}}


def test_gpu_memory_of_stages_enters_the_config_of_the_cluster(capsys, tmp_path):
    path = tmp_path / "memory.json"
    write_calibration(path, load_config(CONFIG, [], None), FOUND)
    inside = documents(rendered(capsys, "kuberay", "--calibration", str(path)))["ConfigMap"]["data"]["config.yaml"]
    placement = yaml.safe_load(inside)["placement"]
    assert (placement["gpu_memory_mb"], placement["memory_mb"]) == (24000, {"annotator": 3000})


def test_main_memory_of_stages_sizes_the_nodes(capsys, tmp_path):
    cpu = ("--set", "placement.device=cpu", "--set", "train.use_gpu=false")
    path = tmp_path / "memory.json"
    write_calibration(path, load_config(CONFIG, [], None), FOUND | {"device": "cpu"})
    text = rendered(capsys, "kuberay", *cpu, "--calibration", str(path))
    assert "11 GiB: 3,000 MB of its stages by the calibration" in text
    assert "calibrate on the device that the config uses" in refused(capsys, "kuberay", "--calibration", str(path))


def test_cluster_and_training_may_change_and_models_may_not(capsys, tmp_path):
    path = tmp_path / "memory.json"
    write_calibration(path, load_config(CONFIG, [], None), FOUND)
    read_calibration(path, load_config(CONFIG, ["train.epochs=3", "placement.workers=2"], "s3://else/where"))
    sentence = refused(capsys, "kuberay", "--calibration", str(path), "--set", "generate.micro_batch=64")
    assert "was measured with another config" in sentence


def test_a_damaged_file_is_a_sentence(capsys, tmp_path):
    path = tmp_path / "memory.json"
    path.write_text('{"device": "cuda"}')
    assert "is no calibration (config_sha256: Field required)" in refused(capsys, "kuberay", "--calibration", str(path))
