"""Models of every trainable network are published, loaded and scored like those of the grey one."""

import json

import numpy as np
import pytest
import yaml

from synfiqa.actors.model_store.cache import locate
from synfiqa.actors.model_store.catalogue import Catalogue
from synfiqa.actors.model_store.loading import play
from synfiqa.actors.nets.fiqa.table import TRAINABLE
from synfiqa.actors.quality.trained.quality_model import QualityModel
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.scoring.sources import open_scorer
from synfiqa.fiqa_train.training.checkpoints import dump_state, load_quality_model, publish
from synfiqa.fiqa_train.training.seen import with_record
from synfiqa.schemas.config.train_config import PORTRAIT_NETWORKS
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import LearnedFrom
from tests.actors.nets.fiqa.tiny import card_of, tiny

FACES = np.random.default_rng(2).integers(0, 256, (3, 112, 112, 3), np.uint8)
RECORD = LearnedFrom(
    run_fingerprint="1" * 64,
    dataset_sha256="2" * 64,
    people_sha256="3" * 64,
    label="default",
    label_sha256="4" * 64,
    seed=0,
    validation_fraction=0.1,
    test_fraction=0.2,
    steps=(8,),
    split_sha256="5" * 64,
)


def published(folder, name, **fields):
    """Return network, store and card of a model in `models/default`; its card in the file has a record."""
    network = tiny(name)
    card = card_of(name, network, learned_from=RECORD, **fields).model_dump(mode="json", exclude={"sha256"})
    storage = Storage(str(folder))
    whole = publish(storage, "default", network.state_dict(), card)
    storage.write("models/default/checkpoints/last/state.pt", dump_state({"card": card, "best": network.state_dict()}))
    return network, storage, whole


@pytest.mark.parametrize("name", sorted(TRAINABLE.keys() - set(PORTRAIT_NETWORKS)))
def test_a_published_model_scores_as_its_network(tmp_path, name):
    network, storage, card = published(tmp_path, name)
    wanted = QualityModel(network, card).score(FACES)
    assert np.ptp(wanted) > 0
    for place in ("models/default", "models/default/model.safetensors", "models/default/checkpoints/last"):
        np.testing.assert_array_equal(load_quality_model(storage.uri(place)).score(FACES), wanted)
    np.testing.assert_array_equal(open_scorer(storage.uri("models/default")).score(FACES), wanted)


def test_channels_and_range_of_the_card_decide_the_input(tmp_path):
    _, storage, _ = published(tmp_path, "compact")
    model = load_quality_model(storage.uri("models/default"))
    rgb = model.score(FACES)
    model.card = model.card.model_copy(update={"channels": "bgr"})
    np.testing.assert_array_equal(model.score(FACES[..., ::-1]), rgb)
    assert not np.array_equal(model.score(FACES), rgb)


def test_a_catalogue_card_plays_the_model_and_finds_its_record(tmp_path):
    network, storage, card = published(tmp_path, "compact")
    fields = card.model_dump(mode="json", exclude={"name", "learned_from"})
    path = storage.uri("models/default/model.safetensors")
    (tmp_path / "models.yaml").write_text(yaml.safe_dump({"models": {"mine": {**fields, "source": path}}}))
    model = Catalogue.load(str(tmp_path / "models.yaml")).model("mine", "quality")
    assert model.card.learned_from is None
    assert with_record(model).learned_from == RECORD
    scorer = play(model.card, locate(model))
    np.testing.assert_array_equal(scorer.score(FACES), QualityModel(network, card).score(FACES))


def test_a_card_of_no_network_is_refused(tmp_path):
    _, storage, _ = published(tmp_path, "compact")
    data = storage.read("models/default/model.safetensors")
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    card = json.loads(header["__metadata__"]["card"])
    header["__metadata__"]["card"] = json.dumps({**card, "architecture": "laplacian-variance"})
    changed = json.dumps(header).encode()
    (tmp_path / "other.safetensors").write_bytes(len(changed).to_bytes(8, "little") + changed + data[8 + length :])
    with pytest.raises(UserError, match="holds no quality model of this project"):
        load_quality_model(str(tmp_path / "other.safetensors"))
