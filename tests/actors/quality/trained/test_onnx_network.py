"""Published ONNX quality networks score as their torch twins, alone and in batches; other files are refused."""

import hashlib

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from synfiqa.actors.imaging.preprocess import network_input
from synfiqa.actors.model_store.checks.canary import canary_images
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import play
from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.actors.nets.fiqa.ediffiqa import EDifFiqa
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

IMAGES = canary_images(3)


class Twice(nn.Module):
    """Returns two scores a face."""

    def forward(self, x):
        return torch.stack([x.mean(dim=(1, 2, 3)), x.amax(dim=(1, 2, 3))], dim=1)


def network() -> EDifFiqa:
    made = EDifFiqa(layers=[1, 1, 1, 1], widths=[8, 8, 8, 8], embedding_dim=8, hidden=8)
    made.load_state_dict(random_state(made, 0, gain=1.0))
    return made.eval()


def written(module, path, *, free=True) -> ModelCard:
    """Write a module as ONNX and return its card."""
    torch.onnx.export(
        module,
        (torch.zeros(1, 3, 112, 112),),
        str(path),
        dynamo=False,
        input_names=["input"],
        output_names=["output"],
        dynamic_axes={"input": {0: "N"}, "output": {0: "N"}} if free else None,
    )
    assert onnx.load_model(str(path)).graph.input[0].name == "input"
    return ModelCard(
        name="published",
        role="quality",
        architecture="onnx-quality",
        source=str(path),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        input_size=112,
        channels="rgb",
        value_range=(-1, 1),
        output="score",
        higher_is_better=True,
        licence="CC BY 4.0",
        commercial_use=False,
    )


@pytest.mark.parametrize("free", [True, False])
def test_scores_are_those_of_torch_whatever_batch_the_file_fixes(tmp_path, free):
    module = network()
    card = written(module, tmp_path / "q.onnx", free=free)
    with torch.inference_mode():
        wanted = module(network_input(IMAGES, card)).numpy()
    scorer = play(card, tmp_path / "q.onnx", Execution(micro_batch=2))
    np.testing.assert_allclose(scorer.score(IMAGES), wanted, atol=1e-4)
    np.testing.assert_allclose(scorer.score(IMAGES[1:2]), wanted[1:2], atol=1e-4)
    assert scorer.score(IMAGES[:0]).shape == (0,)
    scorer.card = card.model_copy(update={"channels": "bgr"})
    assert np.abs(scorer.score(IMAGES) - wanted).max() > 1e-4


def test_files_of_other_outputs_or_inputs_are_refused(tmp_path):
    path = tmp_path / "q.onnx"
    card = written(Twice(), path)
    with pytest.raises(UserError, match=r"returns \[8, 2\] for 8 faces: name a file with one score a face"):
        play(card, path)
    card = written(network(), path)
    with pytest.raises(UserError, match=r"fails on its card's input \[8, 3, 80, 80\] .*: correct input_size"):
        play(card.model_copy(update={"input_size": 80}), path)
    path.write_bytes(b"hello")
    with pytest.raises(UserError, match="no whole ONNX model"):
        play(card, path)
