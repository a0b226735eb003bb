"""Manifests of KubeRay: valid by its schema, of one version, recoverable, and of the config."""

import json
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import ray
import yaml

from synfiqa.jobs.workflows.deploy.targets import CLOUDS
from synfiqa.schemas.config.run import RunConfig
from tests.cluster.deploy.rendered import CONFIG, documents, refused, rendered, require_kuberay

EVERYTHING = ("--secret", "store", "--service-account", "faces", "--queue", "gpus")
OPTIONS = [(), EVERYTHING, *(("--cloud", cloud) for cloud in CLOUDS)]
POOLS = ('placement.labels={"annotator": {"pool": "small-gpu"}}',)


def pods(document):
    spec = document["spec"].get("rayClusterSpec", document["spec"])
    return [group["template"]["spec"] for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"])]


@pytest.mark.parametrize("kind", ["job", "cluster"])
@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_the_documents_are_valid(capsys, options, kind):
    found = documents(rendered(capsys, "kuberay", *options, "--kind", kind))
    own = found["RayJob" if kind == "job" else "RayCluster"]
    require_kuberay(own)
    for name in ("ConfigMap", "PodDisruptionBudget", "NetworkPolicy"):
        kubernetes_validate.validate(found[name], "1.34", strict=True)
    for pod in pods(own):
        kubernetes_validate.validate(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": pod}, "1.34", strict=True
        )


def test_a_misspelt_field_is_refused_by_the_schema(capsys):
    job = documents(rendered(capsys, "kuberay"))["RayJob"]
    job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]["volumeMount"] = []
    with pytest.raises(jsonschema.ValidationError, match="volumeMount"):
        require_kuberay(job)


def test_ray_and_image_are_of_the_installed_versions(capsys):
    from importlib.metadata import version

    job = documents(rendered(capsys, "kuberay"))["RayJob"]
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == ray.__version__
    assert {pod["containers"][0]["image"] for pod in pods(job)} == {f"synfiqa:{version('synfiqa')}"}


def test_the_driver_is_told_how_far_the_autoscaler_may_grow_the_cluster(capsys):
    """Ray's autoscaler tells no job: on a cluster without workers nothing was requested, and none came."""
    spec = documents(rendered(capsys, "kuberay", "--nodes", "3", "--set", *POOLS))["RayJob"]["spec"]["rayClusterSpec"]
    container = spec["headGroupSpec"]["template"]["spec"]["containers"][0]
    (text,) = [variable["value"] for variable in container["env"] if variable["name"] == "SYNFIQA_MOST_NODES"]
    told = {json.dumps(kind.get("labels", {})): kind for kind in json.loads(text)}
    for group in spec["workerGroupSpecs"]:
        limits = group["template"]["spec"]["containers"][0]["resources"]["limits"]
        kind = told.pop(json.dumps(group.get("labels", {})))
        assert (kind["nodes"], kind["cpus"]) == (group["maxReplicas"], int(limits["cpu"]))
        assert kind["gpus"] == int(limits["nvidia.com/gpu"])
    assert told == {}


def test_a_retry_resumes_and_a_suspended_job_gives_its_nodes_back(capsys):
    spec = documents(rendered(capsys, "kuberay"))["RayJob"]["spec"]
    assert spec["backoffLimit"] > 0
    assert spec["shutdownAfterJobFinishes"], "without it KubeRay refuses `suspend`, and Kueue needs that"
    assert spec["entrypoint"] == "synfiqa run /etc/synfiqa/config.yaml --run s3://bucket/run"
    assert "jobId" not in spec, "a retry needs a new one"


@pytest.mark.parametrize("cloud", ["", *CLOUDS])
def test_pods_have_time_to_drain_before_they_are_killed(capsys, cloud):
    job = documents(rendered(capsys, "kuberay", *(("--cloud", cloud) if cloud else ())))["RayJob"]
    for pod in pods(job):
        drain = next(
            int(variable["value"])
            for variable in pod["containers"][0]["env"]
            if variable["name"] == "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"
        )
        assert pod["terminationGracePeriodSeconds"] >= drain + 10
    head, worker = pods(job)
    assert "nodeSelector" not in head, "a head on a spot node ends the job when the node goes"
    assert ("nodeSelector" in worker) == bool(cloud)


def test_the_head_has_no_work_and_workers_come_from_none(capsys):
    cluster = documents(rendered(capsys, "kuberay"))["RayJob"]["spec"]["rayClusterSpec"]
    assert cluster["headGroupSpec"]["rayStartParams"] == {"num-cpus": "0", "num-gpus": "0"}
    (group,) = cluster["workerGroupSpecs"]
    assert (group["minReplicas"], group["maxReplicas"]) == (0, 8)
    limits = group["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits["nvidia.com/gpu"] == "1"


def test_stages_with_labels_get_a_group_of_nodes_that_has_them(capsys):
    job = documents(rendered(capsys, "kuberay", "--set", *POOLS, "--nodes", "3"))["RayJob"]
    require_kuberay(job)
    plain, small = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert small["labels"] == {"pool": "small-gpu"}
    assert (plain["groupName"], small["groupName"]) == ("workers", "small-gpu")
    assert "labels" not in plain
    assert plain["maxReplicas"] == small["maxReplicas"] == 3


def test_a_config_of_cpus_asks_for_no_gpu(capsys):
    text = rendered(capsys, "kuberay", "--set", "placement.device=cpu", "--set", "train.use_gpu=false")
    assert "nvidia.com/gpu" not in text


def test_memory_follows_the_config(capsys):
    text = rendered(capsys, "kuberay", "--set", 'placement.ram_mb={"annotator": 20480, "identity_filter": 4096}')
    assert "# 32 GiB: 24,576 MB of its stages by placement.ram_mb, 4,096 MB object store, 4 GiB" in text


def test_the_config_in_the_map_is_the_config(capsys):
    found = documents(rendered(capsys, "kuberay", "--set", "generate.references=7"))["ConfigMap"]["data"]["config.yaml"]
    wanted = RunConfig.model_validate(yaml.safe_load(Path(CONFIG).read_text(encoding="utf-8")))
    given = RunConfig.model_validate(yaml.safe_load(found))
    assert given.generate == wanted.generate.model_copy(update={"references": 7})
    assert (given.placement, given.train, given.evaluate) == (wanted.placement, wanted.train, wanted.evaluate)


def test_credentials_are_referred_to_and_stand_nowhere(capsys, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    text = rendered(capsys, "kuberay", *EVERYTHING)
    job = documents(text)["RayJob"]
    assert all(pod["containers"][0]["envFrom"] == [{"secretRef": {"name": "store"}}] for pod in pods(job))
    assert all(pod["serviceAccountName"] == "faces" for pod in pods(job))
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
    assert "very-secret" not in text


@pytest.mark.parametrize(("endpoint", "port"), [("https://minio.example:9000", 9000), ("http://minio", 80), ("", 443)])
def test_the_port_of_the_store_is_open(capsys, monkeypatch, endpoint, port):
    """A store at :9000 was out of reach of every pod: the policy opened that of HTTPS alone."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    policy = documents(rendered(capsys, "kuberay"))["NetworkPolicy"]
    kubernetes_validate.validate(policy, "1.34", strict=True)
    ports = [one["port"] for rule in policy["spec"]["egress"] for one in rule.get("ports", [])]
    assert sorted(set(ports)) == sorted({53, 443, 6443, port})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--image", "synfiqa:9.9"), r"--image synfiqa:9\.9 has the tag 9\.9 and this is synfiqa 0\.1\.0"),
        (("--image", "registry:5000/synfiqa"), "has no tag"),
        (("--run", "runs/here"), r"run\.url runs/here is a folder of this machine"),
        (("--set", "placement.device=auto"), r"placement\.device is auto, .* set --set placement\.device=cuda"),
        (("--calibration", "none.json"), r"--calibration none\.json cannot be read"),
    ],
)
def test_what_cannot_run_is_refused(capsys, options, sentence):
    import re

    assert re.search(sentence, refused(capsys, "kuberay", *options))
