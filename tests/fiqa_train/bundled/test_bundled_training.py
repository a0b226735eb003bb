import numpy as np
import pytest
import torch

from synfiqa.actors.image_text.captions import FACTORS
from synfiqa.actors.model_store.catalogue import read_bundled
from synfiqa.actors.model_store.checks.check_model import check_model
from synfiqa.fiqa_train.bundled.augment import augment
from synfiqa.fiqa_train.bundled.embedder import MARGIN, SCALE, CosFace, learnable, margin_at, train_embedder
from synfiqa.fiqa_train.bundled.embedder_metrics import (
    equal_error_rate,
    match_cosine,
    pair_scores,
    tar_at_fmr,
    threshold_at_fmr,
)
from synfiqa.fiqa_train.bundled.everything import NETWORKS, train_networks
from synfiqa.fiqa_train.bundled.image_text_model import contrastive_loss, mention, train_image_text, truth
from synfiqa.fiqa_train.bundled.publish import publish
from synfiqa.fiqa_train.bundled.render_set import RenderSet, SetSize, cache_path, cached_render_set, render_set
from synfiqa.fiqa_train.bundled.variation import draw_variation
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.recipe import Light, Pose, Recipe

SMALL = SetSize(identities=4, references=4, varied=8, held_out=2, laddered=1)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def renders(work):
    torch.set_num_threads(1)
    return cached_render_set(cache_path(3, work), 3, SMALL)


def test_render_set_has_disjoint_people_and_all_parts(renders):
    train, rest = renders.of("train"), renders.select(renders.part != "train")
    assert set(train.identity) == {0, 1, 2, 3}
    assert set(rest.identity) == {4, 5}
    assert len(train.crops) == 4 * 12
    assert len(renders.of("clean").crops) == 2 * 4
    assert len(renders.of("varied").crops) == 2 * 12
    assert {len(renders.crops), len(renders.recipes)} == {len(renders.part)}
    covers = np.array([recipe.occluder != "none" for recipe in renders.recipes])
    assert renders.occluded_fraction[covers].mean() > renders.occluded_fraction[~covers].mean() + 0.05


def test_render_set_survives_storage_and_refuses_other_settings(renders, tmp_path):
    path = tmp_path / "stored.npz"
    renders.save(path)
    again = RenderSet.load(path)
    assert again.recipes == renders.recipes
    assert np.array_equal(again.crops, renders.crops)
    with pytest.raises(UserError, match="other settings; delete"):
        cached_render_set(path, 4, SMALL)


def test_rendering_again_gives_the_same_pixels():
    one = SetSize(identities=1, varied=2, held_out=0, laddered=0)
    assert np.array_equal(render_set(3, one, processes=1).crops, render_set(3, one, processes=2).crops)


def test_augmentation_varies_and_repeats():
    face = np.random.default_rng(0).integers(0, 256, (112, 112), dtype=np.uint8)
    first = [augment(face, np.random.default_rng(seed)) for seed in range(20)]
    again = [augment(face, np.random.default_rng(seed)) for seed in range(20)]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({image.tobytes() for image in first}) == 20
    assert {(image.shape, image.dtype) for image in first} == {((112, 112), np.dtype(np.uint8))}


def test_cosface_is_cross_entropy_of_the_shifted_scaled_cosines():
    loss = CosFace(3, 2)
    with torch.no_grad():
        loss.weight.copy_(torch.tensor([[2.0, 0, 0], [0, 5.0, 0]]))
    embedding = torch.tensor([[3.0, 4.0, 0]])
    for identity, own, other in ((0, 0.6, 0.8), (1, 0.8, 0.6)):
        expected = np.log1p(np.exp(SCALE * (other - (own - MARGIN))))
        assert loss(embedding, torch.tensor([identity]), MARGIN).item() == pytest.approx(expected, rel=1e-4)


def test_the_margin_waits_until_people_are_told_apart():
    assert [margin_at(share) for share in (0, 0.15, 0.3, 0.45, 1)] == pytest.approx([0, 0, MARGIN / 2, MARGIN, MARGIN])


def test_faces_that_say_too_little_are_not_learned_from():
    plain = Recipe(kind="degraded", seed=1)
    spoilt = [{"misalignment": -30.0}, {"pose": Pose(yaw=85)}, {"light": Light(exposure=0.05)}]
    recipes = [plain, *(plain.model_copy(update=change) for change in spoilt)]
    assert learnable(recipes).tolist() == [True, False, False, False]


def test_tar_at_fmr_lets_exactly_the_allowed_impostors_match():
    impostor = np.arange(100) / 100
    assert tar_at_fmr(np.array([0.985, 0.995, 0.5]), impostor, 0.01) == pytest.approx(2 / 3)
    assert tar_at_fmr(np.array([0.985, 0.995, 0.5]), impostor, 0.0) == pytest.approx(1 / 3)
    assert tar_at_fmr(impostor, impostor, 0.05) == pytest.approx(0.05)


def test_where_a_network_decides_is_told_to_the_nearest_twentieth():
    impostor = np.arange(2000) / 4000
    assert threshold_at_fmr(impostor, 1e-3) == impostor[-3]
    for threshold, told in ((0.5584, 0.55), (0.5676, 0.55), (0.576, 0.6), (0.999, 0.95)):
        assert match_cosine({"varied_threshold_at_fmr_1e-3": threshold}) == told


def test_equal_error_rate_of_known_overlaps():
    assert equal_error_rate(np.array([0.8, 0.9]), np.array([0.1, 0.2])) == 0
    assert equal_error_rate(np.array([0.1, 0.9]), np.array([0.2, 0.8])) == pytest.approx(0.5)
    rng = np.random.default_rng(0)
    assert equal_error_rate(rng.normal(2, 1, 20000), rng.normal(0, 1, 20000)) == pytest.approx(0.1587, abs=0.005)


def test_pairs_are_split_by_identity():
    vectors = np.eye(3, dtype=np.float32)
    genuine, impostor = pair_scores(vectors, np.array([1, 2, 3]), vectors[:2], np.array([1, 1]))
    assert sorted(genuine.tolist()) == [0, 1]
    assert sorted(impostor.tolist()) == [0, 0, 0, 1]


def test_a_caption_is_true_of_every_image_whose_mentioned_factors_agree():
    classes = torch.tensor([[0, 1], [0, 2], [3, 1]])
    mentioned = torch.tensor([[True, False], [True, True], [False, True]])
    assert truth(classes, mentioned).tolist() == [[True, False, True], [True, True, False], [False, False, True]]


def test_equal_captions_are_no_negatives():
    image = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.1], [0.0, 1.0]]), dim=1)
    text = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), dim=1)
    apart = contrastive_loss(image, text, torch.eye(3, dtype=torch.bool))
    together = torch.eye(3, dtype=torch.bool)
    together[0, 1] = together[1, 0] = True
    assert contrastive_loss(image, text, together) == pytest.approx(float(apart), abs=1e-4)
    moved = text.clone().requires_grad_()
    contrastive_loss(image, moved, together).backward()
    assert torch.allclose(moved.grad[0], moved.grad[1], atol=1e-6)


def test_occlusion_is_in_every_mention_and_the_others_come_and_go():
    drawn = [mention(np.random.default_rng(seed)) for seed in range(200)]
    assert all("occlusion" in words for words in drawn)
    for factor in set(FACTORS) - {"occlusion"}:
        assert 0.6 < np.mean([factor in words for words in drawn]) < 0.9


def test_variation_keeps_what_was_rendered_and_changes_what_was_not():
    base = Recipe(kind="reference", seed=1)
    drawn = [draw_variation(base, np.random.default_rng(seed)) for seed in range(60)]
    assert {entry.pose for entry in drawn} == {base.pose}
    assert len({entry.seed for entry in drawn}) == 60
    assert min(entry.blur for entry in drawn) == 1
    assert max(entry.blur for entry in drawn) > 4


def test_a_network_that_half_precision_cannot_hold_is_not_published(tmp_path):
    net = torch.nn.Linear(1, 1)
    with torch.no_grad():
        net.weight.fill_(1e6)
    with pytest.raises(ValueError, match="weight are not finite"):
        publish(net, tmp_path, name="x")
    assert not list(tmp_path.iterdir())


def test_training_learns_publishes_and_repeats_exactly(renders, tmp_path):
    cards = [train_embedder("bundled-b", renders, tmp_path / part, seed=1, epochs=2) for part in "ab"]
    assert cards[0].sha256 == cards[1].sha256
    assert read_bundled(tmp_path / "a" / "bundled-b.yaml").card == cards[0]
    assert check_model(read_bundled(tmp_path / "a" / "bundled-b.yaml")).notes == []
    assert train_embedder("bundled-b", renders, tmp_path / "c", seed=2, epochs=1).sha256 != cards[0].sha256


def test_all_networks_are_trained_from_one_set_of_renders_and_come_out_as_if_trained_alone(renders, work, tmp_path):
    cards = train_networks(tmp_path / "out", 3, work, SMALL, epochs=2)
    assert [card.name for card in cards] == list(NETWORKS) == ["bundled-a", "bundled-b", "bundled-clip"]
    assert all(read_bundled(tmp_path / "out" / f"{card.name}.yaml").card == card for card in cards)
    assert train_embedder("bundled-b", renders, tmp_path / "alone", 3, epochs=2).sha256 == cards[1].sha256


def test_dual_encoder_trains_and_publishes(renders, tmp_path):
    card = train_image_text(renders, tmp_path, seed=1, epochs=1)
    assert read_bundled(tmp_path / "bundled-clip.yaml").card == card
    assert 0 <= card.metrics["occluded_or_not"] <= 1
    assert card.arguments["vocabulary"] == sorted(card.arguments["vocabulary"])
