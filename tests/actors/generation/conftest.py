import pytest
import torch

from synfiqa.actors.generation.face_model.flame import Flame
from synfiqa.actors.generation.face_model.flame_files import read_flame
from synfiqa.actors.generation.face_model.flame_random import write_random


@pytest.fixture(scope="session")
def flame_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flame")
    write_random(None, folder, 3)
    return folder


@pytest.fixture(scope="session")
def flame_arrays(flame_folder):
    return read_flame(flame_folder)


@pytest.fixture(scope="session")
def flame_model(flame_arrays):
    return Flame(flame_arrays)


@pytest.fixture
def numbers():
    random = torch.Generator().manual_seed(0)

    def draw(*shape, spread=1.0):
        return torch.randn(*shape, generator=random) * spread

    return draw
