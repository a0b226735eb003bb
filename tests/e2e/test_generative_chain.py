"""The stages of `configs/paper-tiny.yaml`, no Ray: pseudo-identities by diffusion, 3-D faces, samples by diffusion."""

import json

import numpy as np
import pytest

from synfiqa.actors.generation.conditional.backends import backend_of
from synfiqa.actors.imaging.codec import decode
from synfiqa.actors.model_store.resolved_run import resolve
from synfiqa.actors.stages.conditional_generator import ConditionalGeneratorStage
from synfiqa.cluster.pipeline.stage import Work
from synfiqa.jobs.config import load_config
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.rows import IDENTITIES, recipe_from_row
from tests.e2e.test_published_models import chain

SMALL = {"references": 2, "degraded": 2, "micro_batch": 4}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    full = load_config("configs/paper-tiny.yaml").model_dump(mode="json")
    # Full-size 6DRepNet360 has a test of its own, and takes most of the time here.
    full["models"] |= {"cache": str(tmp_path_factory.mktemp("cache")), "pose": "landmark-pose", "micro_batch": 2}
    full["generate"] |= SMALL
    return RunConfig.model_validate(full)


@pytest.fixture(scope="module")
def made(config):
    return chain(config)


def test_every_candidate_is_a_picture_of_the_diffusion_model(made):
    candidates, _ = made
    for row in candidates:
        assert json.loads(row["attributes"]) == {}
        assert decode(row["image"]["bytes"]).shape == (64, 64, 3)
        assert row["status"] != "rejected"


def test_every_sample_names_its_template_and_prompt_and_is_measured(made, config):
    _, samples = made
    assert samples.num_rows == 2 * 4
    run = resolve(config)
    stage = ConditionalGeneratorStage(run)
    for row in samples.to_pylist():
        assert decode(row["image"]["bytes"]).shape == (112, 112, 3)
        assert np.isfinite([row["measured_yaw"], row["recognition"], row["vision_language"], *row["landmarks"]]).all()
        planned = backend_of(run, stage._players).recipes(row["candidate"])
        index = row["index"] + (0 if row["kind"] == "reference" else 2)
        assert recipe_from_row(row) == planned[index]
        assert row["template"].startswith("REF" if row["kind"] == "reference" else "DEG")
        assert row["occluded_fraction"] == 0


def test_a_sample_made_again_in_another_micro_batch_is_the_same_to_the_bit(made, config):
    other = config.model_copy(update={"generate": config.generate.model_copy(update={"micro_batch": 3})})
    candidates, samples = made
    row = {name: candidates[0].get(name) for name in IDENTITIES.names} | {"identity": 0}
    shard = Work("samples", 0, IDENTITIES.empty_table().from_pylist([row], schema=IDENTITIES))
    again = ConditionalGeneratorStage(resolve(other)).process(shard).table
    columns = ["sample_id", "image", "landmarks", "measured_yaw"]
    assert again.select(columns).to_pylist() == samples.select(columns).slice(0, 4).to_pylist()
