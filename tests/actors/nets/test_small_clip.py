import numpy as np
import pytest
import torch

from synfiqa.actors.nets.small_clip import PAD, START, UNKNOWN, FaceTower, WordTokenizer, clip_input, small_clip
from synfiqa.actors.nets.small_iresnet import SmallIResNet

WORDS = ["a", "face", "mask", "photo", "sharp"]


def test_end_token_has_the_highest_id_so_that_argmax_finds_it():
    tokenizer = WordTokenizer(WORDS, context_length=8)
    tokens = tokenizer(["sharp face", "", "a a a a a a a a a a a"])
    assert tokenizer.end == tokenizer.vocab_size - 1
    assert tokens.max() == tokenizer.end
    assert tokens.argmax(dim=1).tolist() == [3, 1, 7]


def test_ids_of_a_caption():
    tokenizer = WordTokenizer(WORDS, context_length=8)
    sharp, face = tokenizer.ids["sharp"], tokenizer.ids["face"]
    assert tokenizer(["Sharp, FACE!"])[0].tolist() == [START, sharp, face, tokenizer.end, PAD, PAD, PAD, PAD]


def test_unknown_words_share_one_id_that_no_known_word_has():
    tokenizer = WordTokenizer(WORDS)
    tokens = tokenizer(["zebra quagga"])[0, 1:3].tolist()
    assert tokens == [UNKNOWN, UNKNOWN]
    assert not {PAD, START, UNKNOWN, tokenizer.end} & set(tokenizer.ids.values())


def test_a_repeated_word_is_refused():
    with pytest.raises(ValueError, match="repeat"):
        WordTokenizer(["a", "a"])


def test_padding_does_not_change_the_text_embedding():
    torch.manual_seed(0)
    tokenizer = WordTokenizer(WORDS, context_length=10)
    net = small_clip(tokenizer.vocab_size, 10, widths=[16] * 4, blocks=[1] * 4, text_layers=1).eval()
    tokens = tokenizer(["sharp face"])
    other = tokens.clone()
    other[0, 5:] = tokenizer.ids["mask"]
    with torch.inference_mode():
        assert torch.allclose(net.encode_text(tokens), net.encode_text(other), atol=1e-6)


def test_clip_input_is_resized_and_normalised_with_the_published_constants():
    white = clip_input(np.full((2, 112, 112, 3), 255, np.uint8), 64)
    assert white.shape == (2, 3, 64, 64)
    expected = [(1 - 0.48145466) / 0.26862954, (1 - 0.4578275) / 0.26130258, (1 - 0.40821073) / 0.27577711]
    assert white[0, :, 10, 10].tolist() == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="expected uint8 RGB"):
        clip_input(np.zeros((2, 112, 112, 3), np.float32), 64)


def test_the_image_tower_resolves_detail_in_dark_as_well_as_in_bright_images(monkeypatch):
    """Of faces in the dark, which span a few grey levels, sharpness used to be misclassified three times as often."""
    seen = []
    monkeypatch.setattr(SmallIResNet, "forward", lambda self, x: seen.append(x) or x.mean(dim=(2, 3)))
    tower = FaceTower([16] * 4, [1] * 4, 8)
    light = np.random.default_rng(0).integers(100, 250, (1, 112, 112, 3)).astype(np.uint8)
    dark = np.rint(light * 0.2).astype(np.uint8)
    with torch.autocast("cpu", torch.bfloat16):
        for images in (light, dark):
            tower(clip_input(images, 112))
    (in_light, in_dark) = (x[0] for x in seen)
    assert in_light.shape == (4, 112, 112)
    gray = light[0] @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(in_light[3], (gray - gray.mean()) / gray.std(), atol=2e-3)
    assert (in_light[3] - in_dark[3]).abs().mean() < 0.3
    assert in_dark[:3].std() < 0.3 * in_light[:3].std()
