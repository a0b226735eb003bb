"""One thread for all rendering, so that float sums are equal, and one renderer per module."""

import pytest
import torch

from synfiqa.actors.face3d import HeadRenderer


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def renderer():
    return HeadRenderer()
