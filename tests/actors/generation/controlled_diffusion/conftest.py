"""A tiny model of the released archive's layout, shared by the tests of the conditional diffusion model."""

import shutil

import numpy as np
import pytest
import torch

from synfiqa.actors.generation.controlled_diffusion.arguments import DiffusionArguments
from synfiqa.actors.generation.controlled_diffusion.rehearsal import write_random
from synfiqa.actors.generation.controlled_diffusion.sampler import ControlledDiffusion
from synfiqa.actors.model_store.execution import Execution
from synfiqa.schemas.model_card import ModelCard

CARD = ModelCard(
    name="tiny-sd",
    role="conditional_diffusion",
    architecture="controlled-diffusion",
    arguments={"size": "tiny", "steps": 2},
    source="random:1",
    input_size=64,
    channels="rgb",
    value_range=None,
    normalise="clip",
    output="uint8 RGB (64, 64, 3)",
    licence="CC BY-NC 4.0",
    commercial_use=False,
)
RUNNING = Execution(micro_batch=2)
FILES = DiffusionArguments()


@pytest.fixture(scope="session")
def card():
    return CARD


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Control module, Stable Diffusion in one file, CLIP: written once, never changed."""
    path = tmp_path_factory.mktemp("stage2") / "weights"
    write_random(CARD, path, seed=1)
    return path


@pytest.fixture
def copied(folder, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(folder, tmp_path / "weights")


@pytest.fixture(scope="session")
def model(folder):
    return ControlledDiffusion(CARD, folder, RUNNING)


@pytest.fixture(scope="session")
def request_of_three(model):
    """Control maps, identity tokens, face embeddings, prompts and seeds of three images."""
    random = np.random.default_rng(5)
    portraits = random.integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)
    embedding = random.normal(size=(3, 512)).astype(np.float32)
    return (
        torch.from_numpy(random.normal(size=(3, 9, 64, 64)).astype(np.float32)),
        model.image_tokens(portraits),
        embedding / np.linalg.norm(embedding, axis=1, keepdims=True),
        [model.prompts.reference, "a photo of the face of a person in snow", model.prompts.reference],
        [11, 22, 33],
    )


@pytest.fixture(scope="session")
def pictures(model, request_of_three):
    return model.generate(*request_of_three)
