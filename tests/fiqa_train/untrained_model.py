"""A quality model with random weights, for tests that only need one."""

import pytest
import torch

from synfiqa.actors.nets.quality_net import QualityNet
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.training.checkpoints import publish
from synfiqa.fiqa_train.training.engine.build_network import describe
from synfiqa.schemas.config.train_config import TrainSection


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    storage = Storage(str(tmp_path_factory.mktemp("model")))
    card = describe(TrainSection(width=4, initialise="random"), None, "synthetic faces of run abc")
    torch.manual_seed(0)
    publish(storage, "default", QualityNet(**card["arguments"]).state_dict(), card)
    return storage.url + "/models/default"
