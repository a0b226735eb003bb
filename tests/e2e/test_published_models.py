"""The stages with published architectures in them, random weights, no Ray: what `configs/annotators-full.yaml` does,
with a small BLIP so that it takes seconds."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from synfiqa.actors.model_store.catalogue import Catalogue
from synfiqa.actors.model_store.resolved_run import resolve
from synfiqa.actors.stages.annotator import AnnotatorStage
from synfiqa.actors.stages.conditional_generator import ConditionalGeneratorStage
from synfiqa.actors.stages.identity_filter import IdentityFilterStage
from synfiqa.actors.stages.identity_generator import IdentityGeneratorStage
from synfiqa.cluster.commits.shard_formats import content_digest
from synfiqa.cluster.pipeline.stage import Work
from synfiqa.jobs.config import load_config
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.rows import CANDIDATES, IDENTITIES

SMALL = {"references": 2, "degraded": 2, "micro_batch": 4, "portrait_size": 128}


def chain(config, candidates=2):
    """Run the four stages over a unit of candidates and the identities that pass, in this process."""
    run = resolve(config)
    unit = Work("identities", 0, CANDIDATES.empty_table(), plan={"first": 0, "count": candidates})
    for stage in (IdentityGeneratorStage(run), IdentityFilterStage(run)):
        stage.setup()
        unit = stage.process(unit)
    rows = [row for row in unit.table.to_pylist() if not row["status"]]
    identities = IDENTITIES.empty_table().from_pylist(
        [{name: row.get(name) for name in IDENTITIES.names} | {"identity": i} for i, row in enumerate(rows)],
        schema=IDENTITIES,
    )
    shard = Work("samples", 0, identities)
    for stage in (ConditionalGeneratorStage(run), AnnotatorStage(run)):
        stage.setup()
        shard = stage.process(shard)
    assert not unit.dead
    assert not shard.dead
    return unit.table.to_pylist(), shard.table


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    tree = yaml.safe_load(Path("configs/models-test.yaml").read_text(encoding="utf-8"))
    tree["models"]["random-blip"] |= {"arguments": {"size": "tiny"}, "input_size": 48, "canary": []}
    (folder / "models.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    full = load_config("configs/annotators-full.yaml").model_dump(mode="json")
    full["models"] |= {"catalogue": str(folder / "models.yaml"), "cache": str(folder / "cache")}
    full["generate"] |= SMALL
    return RunConfig.model_validate(full)


@pytest.fixture(scope="module")
def made(config):
    return chain(config)


def test_every_measurement_is_there_and_finite(made):
    candidates, samples = made
    assert len(candidates) == 2
    assert {row["reason"] for row in candidates} <= {"", "yaw"}
    for row in candidates:
        assert row["detection"] > 0.5, "rehearsed RetinaFace finds a face in the middle of the picture"
        assert np.isfinite([row["yaw"], row["expression"], row["glasses"], *row["landmarks"]]).all()
        assert len(row["embedding"]) == 512
    for name in ("measured_yaw", "recognition", "vision_language"):
        assert np.isfinite(samples[name].to_numpy()).all()
    assert samples.num_rows == 2 * 4


def test_an_embedder_measured_beside_says_what_it_says_as_the_first(made, config):
    _, samples = made
    first = config.model_copy(
        update={
            "models": config.models.model_copy(update={"embedder": "bundled-a", "more_embedders": ()}),
        }
    )
    _, alone = chain(first)
    beside = [entry["cosine"] for row in samples["more_recognition"].to_pylist() for entry in row]
    assert beside == alone["recognition"].to_pylist()
    assert all(row == [] for row in alone["more_recognition"].to_pylist())


def test_the_same_again_is_the_same_to_the_bit(made, config):
    assert content_digest(chain(config)[1]) == content_digest(made[1])


def test_every_architecture_of_the_rehearsal_catalogue_is_used_or_checked():
    """`models check configs/models-test.yaml` covers them all at full size; each card carries its canary."""
    own = Catalogue.load("configs/models-test.yaml").own()
    assert len(own) == 7
    assert all(model.card.canary for model in own)
