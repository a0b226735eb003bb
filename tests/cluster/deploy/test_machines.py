"""Files of Slurm, SkyPilot and `ray up`, and the Dockerfile: valid by their tools, and of the config."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import ray
import yaml

import synfiqa.cluster
from synfiqa.schemas.config.run import RunConfig
from tests.cluster.deploy.rendered import refused, rendered

DEPLOY = Path(synfiqa.cluster.__path__[0]) / "deploy"
LABELS = ("--set", 'placement.labels={"annotator": {"pool": "small-gpu"}}')


def tool(name: str, *arguments: str) -> str:
    """Run a checker beside this Python and return its findings, empty when it has none."""
    done = subprocess.run([Path(sys.executable).parent / name, *arguments], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_the_dockerfile_has_no_findings_and_pins_by_hash():
    assert tool("hadolint", str(DEPLOY / "Dockerfile")) == ""
    text = (DEPLOY / "Dockerfile").read_text()
    assert "--require-hashes -r /home/ray/requirements.txt" in text
    assert text.index("requirements.txt") < text.index("COPY --chown=ray:ray . "), "code changes keep the layer"
    assert "\nUSER 1000\n" in text


def test_the_slurm_script_is_clean_and_holds_the_config(capsys, tmp_path):
    text = rendered(capsys, "slurm", "--run", "/scratch/faces")
    script = tmp_path / "job.sh"
    script.write_text(text)
    assert tool("shellcheck", str(script)) == ""
    inside = text.split("<<'CONFIG'\n")[1].split("\nCONFIG\n")[0]
    assert RunConfig.model_validate(yaml.safe_load(inside)).generate.identities == 5000
    for line in ("#SBATCH --nodes=8", "#SBATCH --gpus-per-node=1", "#SBATCH --requeue", "#SBATCH --cpus-per-task=8"):
        assert f"{line}\n" in text
    assert text.index("143:* | 1:[1-9]*") < text.index('scontrol requeue "$SLURM_JOB_ID"') < text.index('exit "$code"')


def test_ports_of_a_job_are_apart(capsys):
    """Ray 2.60 refuses two components on one port."""
    text = rendered(capsys, "slurm", "--run", "/scratch/faces")
    offsets = [int(part.split("))")[0]) for part in text.split("=$((base + ")[1:]]
    assert len(set(offsets)) == len(offsets) == 9
    assert max(offsets) < 100, "the next job's ports begin there"


def test_ray_up_fits_the_schema_of_the_installed_ray(capsys):
    schema = json.loads((Path(ray.__path__[0]) / "autoscaler" / "ray-schema.json").read_text())
    cluster = yaml.safe_load(rendered(capsys, "ray-up", *LABELS))
    jsonschema.validate(cluster, schema)
    types = cluster["available_node_types"]
    assert types["head"]["resources"] == {"CPU": 0}
    assert types["small_gpu"]["labels"] == {"pool": "small-gpu"}
    assert all(kind["min_workers"] == 0 for kind in types.values())


def test_skypilot_takes_the_task(capsys):
    task = yaml.safe_load(rendered(capsys, "skypilot"))
    assert task["resources"]["job_recovery"]["recover_on_exit_codes"] == [143]
    script = task["run"]
    inside = script.split("<<'CONFIG'\n")[1].split("\nCONFIG\n")[0]
    assert RunConfig.model_validate(yaml.safe_load(inside)).train.workers == 8
    assert "ray stop" not in script, "it would end SkyPilot's own Ray"
    assert task["secrets"] == {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}


@pytest.mark.parametrize("target", ["slurm", "skypilot"])
def test_several_kinds_of_nodes_are_refused_where_there_is_one(capsys, target):
    sentence = refused(capsys, target, *LABELS, "--run", "s3://bucket/run")
    assert "nodes of one kind, and placement.labels ask for 2 (workers, small-gpu)" in sentence


def test_options_of_kubernetes_are_refused_elsewhere(capsys):
    assert "are of --target kuberay, not of slurm" in refused(capsys, "slurm", "--secret", "store")
