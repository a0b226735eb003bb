"""A config is resolved once a job, and what a run records of it is what earlier code recorded."""

import hashlib
import pickle

import pytest

from synfiqa.actors.model_store import resolved_run
from synfiqa.actors.model_store.catalogue import Catalogue, bundled
from synfiqa.actors.model_store.resolved_run import resolve, verify_weights
from synfiqa.cluster.run.fingerprint import canonical_json
from synfiqa.jobs.config import load_config
from synfiqa.jobs.generation.readiness import require_fit
from synfiqa.jobs.generation.stages import Stages
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.model_card import BUILT_IN
from tests.actors.model_store.recipes import document

RECORDED = {
    "quickstart": "d22a743277e01529fb521a608cb77d2b9179956620c2478490e0fe26d0dd251e",
    "paper-tiny": "994633be51796b7ec6a7a8efb448cfb4f00d4359f7de76b93b64e60e6aa27d20",
}
"""SHA-256 of fingerprint documents without the versions of libraries, from before generators had cards of their own,
with version 9 of the recipe in place of theirs."""


@pytest.mark.parametrize("name", RECORDED)
def test_runs_from_before_built_in_generators_had_cards_still_resume(name):
    found = document(load_config(f"configs/{name}.yaml"))
    del found["libraries"]
    assert hashlib.sha256(canonical_json(found)).hexdigest() == RECORDED[name]


def test_a_resolved_run_is_small_and_survives_the_way_to_a_worker():
    for name in RECORDED:
        run = resolve(load_config(f"configs/{name}.yaml"))
        sent = pickle.dumps(run)
        assert len(sent) < 64 * 1024
        assert pickle.loads(sent) == run


def test_every_model_has_a_digest_and_rendering_generators_record_no_card():
    run = resolve(RunConfig())
    assert run.digests.keys() == {model.name for model in run.models.all_models()}
    assert run.digests["procedural"] == run.digests["procedural-samples"] == BUILT_IN
    recorded = {card.name for card in run.cards}
    assert recorded.isdisjoint({"procedural", "procedural-samples"})
    assert "line-glasses" in recorded


def test_generators_that_render_take_the_settings_of_the_run():
    tones = [0.0] * 9 + [1.0]
    run = resolve(RunConfig.model_validate({"generate": {"portrait_size": 96, "skin_tones": tones}}))
    assert run.models.identity_generator.card.arguments == {"portrait_size": 96, "skin_tones": tones, "people": {}}
    assert run.models.conditional_generator.card.arguments == {"portrait_size": 96, "people": {}}
    assert bundled()["procedural"].card.arguments == {}


@pytest.fixture
def counted(monkeypatch):
    """Count reads of the catalogue, digests taken from a card, and weights looked for, by model."""
    counts = {"catalogue": 0, "digest": {}, "weights": {}}
    load, digest, locate = Catalogue.load, resolved_run.digest_of, resolved_run.locate

    def counting(kind, call):
        def counted(model):
            counts[kind][model.name] = counts[kind].get(model.name, 0) + 1
            return call(model)

        return counted

    def loaded(*args, **kwargs):
        counts["catalogue"] += 1
        return load(*args, **kwargs)

    monkeypatch.setattr(Catalogue, "load", loaded)
    monkeypatch.setattr(resolved_run, "digest_of", counting("digest", digest))
    monkeypatch.setattr(resolved_run, "locate", counting("weights", locate))
    return counts


def test_however_many_stages_take_a_resolved_run_it_is_resolved_once(counted):
    run = resolve(load_config("configs/paper-tiny.yaml"))
    require_fit(run)
    for _ in range(3):
        stages = [*Stages().identities(run), *Stages().samples(run)]
        assert all(stage.models for stage in stages)
        pickle.dumps(stages)
    assert counted["catalogue"] == 1
    assert set(counted["digest"].values()) == set(counted["weights"].values()) == {1}


def test_weights_are_verified_once_a_model(counted):
    run = resolve(RunConfig())
    weights = verify_weights(run)
    assert counted["weights"] == dict.fromkeys(run.digests, 1)
    assert weights.paths.keys() == run.digests.keys()
