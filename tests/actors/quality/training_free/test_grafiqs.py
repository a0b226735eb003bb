"""GraFIQs: gradients of the distance to batch statistics; a batch gives the scores of its faces one by one."""

import numpy as np
import pytest
import torch

from synfiqa.actors.imaging.preprocess import network_input
from synfiqa.actors.quality.training_free.grafiqs import VARIANTS, Grafiqs
from synfiqa.schemas.errors import UserError
from tests.actors.quality.training_free.tiny import IRESNET, VIT, faces, network, opened, quality_card

NETWORKS = {
    "iresnet": IRESNET,
    "small": {"arguments": {"widths": [4, 4, 8, 16], "blocks": [1, 2, 1, 1], "embedding_dim": 8}},
}


def plain_score(module, x, stage):
    """Minus the sum of |dL/dz| of one face with the statistics of a batch of one."""
    losses, held = [], []

    def compare(norm, given):
        values = given[0]
        losses.append(
            torch.nn.functional.mse_loss(values.mean(dim=(0, 2, 3)), norm.running_mean)
            + torch.nn.functional.mse_loss(values.var(dim=(0, 2, 3), correction=0), norm.running_var)
        )

    def keep(_, __, output):
        output.retain_grad()
        held.append(output)

    norms = [m for m in module.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    handles = [norm.register_forward_pre_hook(compare) for norm in norms]
    if stage is not None:
        handles.append(module.get_submodule(stage).register_forward_hook(keep))
    x = x[None].clone().requires_grad_()
    module(x)
    for handle in handles:
        handle.remove()
    (torch.stack(losses).mean()).backward()
    return -float((held[0] if held else x).grad.abs().sum())


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kind", NETWORKS)
def test_a_batch_has_the_scores_of_its_faces_one_by_one(tmp_path, kind, variant):
    model = network(tmp_path, **NETWORKS[kind])
    card, images = quality_card("grafiqs", variant=variant), faces(5)
    together, single = opened(model, 8), opened(model, 1)
    scores = Grafiqs(card, together).score(images)
    assert scores.dtype == np.float64
    assert (scores < 0).all()
    assert Grafiqs(card, single).score(images) == pytest.approx(scores, rel=1e-5)
    if kind == "iresnet":
        inputs = network_input(images, model.card)
        stage = None if variant == "image" else variant.replace("stage", "layer")
        assert [plain_score(single.module, x, stage) for x in inputs] == pytest.approx(scores, rel=1e-4)


def test_a_network_without_batch_normalisation_or_stages_is_refused(tmp_path):
    with pytest.raises(UserError, match="mine has no BatchNorm2d"):
        Grafiqs(quality_card("grafiqs"), opened(network(tmp_path, **VIT)))
    with pytest.raises(UserError, match="mine has no stage9; name one of image, stage1"):
        Grafiqs(quality_card("grafiqs", variant="stage9"), opened(network(tmp_path, **IRESNET)))
