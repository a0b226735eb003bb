"""f_r: cosine to the mean of the identity's reference embeddings."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from synfiqa.actors.image_text.captions import REFERENCE_CAPTION
from synfiqa.actors.imaging.codec import decode, encode_jpeg
from synfiqa.actors.model_store.resolved_run import resolve
from synfiqa.actors.quality.factories import ScorerSettings, scorers_of
from synfiqa.actors.stages.annotator import AnnotatorStage, recognition_similarity
from synfiqa.cluster.pipeline.stage import Work
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.manifest import DeadRow
from synfiqa.schemas.recipe import Recipe
from synfiqa.schemas.rows import SAMPLES, recipe_to_row, sample_id
from tests.actors.generation.diffusion_chain_config import DIFFUSION, config


def unit_vectors(*vectors):
    array = np.array(vectors, np.float32)
    return array / np.linalg.norm(array, axis=1, keepdims=True)


def test_degraded_samples_meet_the_mean_of_all_references():
    embeddings = unit_vectors([1, 0], [0, 1], [1, 1])
    result = recognition_similarity(embeddings, np.zeros(3), np.array([True, True, False]))
    assert result[2] == pytest.approx(1.0)


def test_a_reference_never_meets_itself():
    embeddings = unit_vectors([1, 0], [0, 1], [1, 1])
    result = recognition_similarity(embeddings, np.zeros(3), np.array([True, True, False]))
    assert result[:2] == pytest.approx([0.0, 0.0])


def test_identities_do_not_mix():
    embeddings = unit_vectors([1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [1, 0])
    identity = np.array([0, 0, 0, 1, 1, 1])
    reference = np.array([True, True, False] * 2)
    assert recognition_similarity(embeddings, identity, reference) == pytest.approx([1, 1, 1, 1, 1, 0])


def test_the_mean_is_not_renormalised_before_the_cosine_so_only_direction_counts():
    embeddings = unit_vectors([1, 0], [-0.9, 0.1], [1, 0.2])
    result = recognition_similarity(embeddings, np.zeros(3), np.array([True, True, False]))
    mean = embeddings[:2].mean(axis=0)
    assert result[2] == pytest.approx(float(embeddings[2] @ mean / np.linalg.norm(mean)), abs=1e-6)


def test_the_text_that_references_were_asked_for_is_the_one_they_are_compared_with(tmp_path):
    """Another reference prompt on the card used to leave v_l at the built-in text."""
    own = DIFFUSION | {"arguments": DIFFUSION["arguments"] | {"prompts": {"reference": "a passport photograph"}}}
    asked = config(tmp_path, entries={"own": own}, conditional_diffusion="own")
    assert AnnotatorStage(resolve(asked)).text == "a passport photograph"
    assert AnnotatorStage(resolve(config(tmp_path))).text == REFERENCE_CAPTION
    assert AnnotatorStage(resolve(RunConfig())).text == REFERENCE_CAPTION


def unit(references, degraded, dead=()):
    """A shard of one identity whose other references were given up before."""
    rows = [
        recipe_to_row(Recipe(kind=kind, seed=index))
        | {"sample_id": sample_id(3, kind, index), "identity": 3, "index": index, "image": {"bytes": b"", "path": ""}}
        for kind, count in (("reference", references), ("degraded", degraded))
        for index in range(count)
    ]
    return Work("samples", 0, pa.Table.from_pylist(rows, schema=SAMPLES), dead=tuple(dead))


def given_up(sample, reason):
    return DeadRow(item=sample, stage="conditional_generator", error="no face", reason=reason, node="n", attempts=3)


@pytest.fixture
def stage(monkeypatch):
    stage = AnnotatorStage(resolve(RunConfig()))
    vector = np.array([1.0, 0.0], np.float32)
    monkeypatch.setattr(stage, "_measure", lambda rows: [([vector], 0.5, {}) for _ in rows])
    return stage


def test_a_rejected_reference_rejects_what_it_leaves_alone_and_nothing_is_dead(stage):
    """One picture without a face used to kill all samples of its identity, and a replay killed them again."""
    done = stage.process(unit(1, 6, [given_up("000003/Ref-1", "no_face")]))
    assert done.table.num_rows == 0
    assert [row.reason for row in done.dead] == ["no_face", *["few_references"] * 7]
    assert {row.value for row in done.dead[1:]} == {1.0}


@pytest.mark.parametrize("reason", ["", "no_face"])
def test_what_a_dead_reference_leaves_alone_is_dead_so_that_a_replay_makes_it(stage, reason):
    dead = [given_up("000003/Ref-1", ""), given_up("000003/Ref-2", reason), given_up("000004/Ref-0", "no_face")]
    done = stage.process(unit(1, 2, dead))
    assert [row.reason for row in done.dead[3:]] == ["", "", ""]


def test_a_dead_sample_of_another_kind_or_identity_is_no_reason_to_replay(stage):
    dead = [given_up("000003/4", ""), given_up("000004/Ref-0", ""), given_up("000003/Ref-1", "other_person")]
    done = stage.process(unit(1, 2, dead))
    assert {row.reason for row in done.dead[3:]} == {"few_references"}


def test_two_references_are_enough(stage):
    done = stage.process(replace(unit(2, 3), dead=(given_up("000003/Ref-2", "no_face"),)))
    assert done.table.num_rows == 5
    assert len(done.dead) == 1


@pytest.mark.parametrize("mirrored", [False, True])
def test_mirror_images_are_measured_for_every_embedder_where_they_are_asked_for(mirrored):
    models = {"mirrored_recognition": mirrored, "more_embedders": ["bundled-b"]}
    stage = AnnotatorStage(resolve(RunConfig.model_validate({"models": models})))
    face = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    ((vectors, _, _),) = stage._measure([{"image": {"bytes": encode_jpeg(face, 90)}}])
    ((flipped, _, _),) = stage._measure([{"image": {"bytes": encode_jpeg(face[:, ::-1], 90)}}])
    assert len(vectors) == 2
    for one, other in zip(vectors, flipped, strict=True):
        assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)
        assert bool(one @ other > 0.97) == mirrored  # but for the coding, the very same vector


def test_scorers_without_training_are_columns_of_every_sample():
    names = ("froq", "iso-contrast", "norm", "ser-fiq")
    stage = AnnotatorStage(resolve(RunConfig.model_validate({"models": {"scorers": names}})))
    stage.setup_on_node()
    stage.setup()
    work = unit(2, 1)
    faces = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8)
    images = [{"bytes": encode_jpeg(face, 95), "path": ""} for face in faces]
    at = work.table.schema.get_field_index("image")
    work = replace(
        work, table=work.table.set_column(at, SAMPLES.field("image"), pa.array(images, SAMPLES.field("image").type))
    )
    made = stage.process(work).table
    assert made.schema.names[-4:] == ["score_froq", "score_iso-contrast", "score_norm", "score_ser-fiq"]
    settings = ScorerSettings()
    kept = np.stack([decode(image["bytes"]) for image in images])
    for name, scorer in scorers_of(names, settings, {}, "test").items():
        assert made[f"score_{name}"].to_numpy() == pytest.approx(scorer.score(kept), rel=1e-5)
