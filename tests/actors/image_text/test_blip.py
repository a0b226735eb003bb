import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertTokenizer, BlipForImageTextRetrieval

from synfiqa.actors.image_text.blip import BlipImageText, write_random
from synfiqa.actors.image_text.captions import REFERENCE_CAPTION
from synfiqa.actors.imaging.preprocess import network_input
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.nets.blip_itc import BlipTowers, blip_config, parts_of
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard, StateRules

CAPTIONS = [REFERENCE_CAPTION, "Two small dogs, on the beach!"]
CARD = ModelCard(
    name="blip",
    role="image_text",
    architecture="blip-itc",
    arguments={"size": "tiny"},
    source="random:4",
    input_size=48,
    channels="rgb",
    value_range=None,
    normalise="clip",
    resize="bicubic",
    output="cosine of image and caption, -1..1",
    licence="BSD-3-Clause",
    commercial_use=True,
)
RUNNING = Execution(micro_batch=2)


def with_arguments(**arguments):
    return CARD.model_copy(update={"arguments": arguments})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of transformers' layout."""
    path = tmp_path_factory.mktemp("blip") / "blip-itm-tiny"
    write_random(CARD, path, seed=4)
    return path


@pytest.fixture
def copied(folder, tmp_path):
    """A copy of the folder that a test may damage."""
    for source in folder.iterdir():
        (tmp_path / source.name).write_bytes(source.read_bytes())
    return tmp_path


@pytest.fixture(scope="module")
def model(folder):
    return BlipImageText(CARD, folder, RUNNING)


@pytest.fixture(scope="module")
def faces():
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(0, 255, (3, 3, 5, 5)))
    smooth = torch.nn.functional.interpolate(coarse, (112, 112), mode="bilinear").permute(0, 2, 3, 1)
    return smooth.round().to(torch.uint8).numpy()


def original_names(state):
    """The same tensors under the names of the authors' code."""
    outer = {
        "vision_model.embeddings.class_embedding": "visual_encoder.cls_token",
        "vision_model.embeddings.position_embedding": "visual_encoder.pos_embed",
        "vision_model.embeddings.patch_embedding.": "visual_encoder.patch_embed.proj.",
        "vision_model.post_layernorm.": "visual_encoder.norm.",
        "vision_model.encoder.layers.": "visual_encoder.blocks.",
    }
    inner = {".layer_norm1.": ".norm1.", ".layer_norm2.": ".norm2.", ".self_attn.projection.": ".attn.proj."}
    renamed = {}
    for key, value in state.items():
        for ours, theirs in [*outer.items(), *inner.items(), (".self_attn.qkv.", ".attn.qkv.")]:
            key = key.replace(ours, theirs)
        renamed[key] = value
    return renamed


def write_original(folder, path):
    """A checkpoint as its authors published it, with everything that served training only."""
    state = original_names(load_file(folder / "model.safetensors"))
    momentum = {key.replace(".", "_m.", 1): value * 0 for key, value in state.items() if not key.startswith("itm_head")}
    queues = {"image_queue": torch.zeros(16, 8), "text_queue": torch.zeros(16, 8), "ptr_queue": torch.zeros(1).long()}
    rest = {"idx_queue": torch.full((1, 8), -100), "temp": torch.tensor(0.07)}
    positions = {"text_encoder.embeddings.position_ids": torch.arange(40)[None]}
    torch.save({"model": {**state, **momentum, **queues, **rest, **positions}, "epoch": 5}, path)


def test_base_has_the_published_sizes():
    vision, text = parts_of(blip_config("base"))
    assert (vision.image_size, vision.patch_size, text.vocab_size, text.num_attention_heads) == (384, 16, 30_524, 12)
    with torch.device("meta"):
        towers = BlipTowers(blip_config("base"))
        whole = BlipForImageTextRetrieval(blip_config("base"))
    sizes = [
        sum(tensor.numel() for tensor in module.parameters())
        for module in (towers.vision_model, towers.text_encoder, towers, whole)
    ]
    assert sizes == [86_090_496, 108_891_648, 195_375_872, 223_744_258]
    with FlopCounterMode(display=False) as counter:
        assert towers.image_features(torch.empty(1, 3, 384, 384, device="meta")).shape == (1, 256)
    assert counter.get_total_flops() / 1e9 == pytest.approx(111, rel=0.02)


def test_cosines_are_those_of_transformers_without_the_matching_head(folder, model, faces):
    theirs = BlipForImageTextRetrieval.from_pretrained(folder, local_files_only=True).eval()
    tokens = BertTokenizer.from_pretrained(folder, local_files_only=True)(
        CAPTIONS, padding="max_length", truncation=True, max_length=35, return_tensors="pt"
    )
    with torch.inference_mode():
        expected = theirs(
            pixel_values=network_input(faces, CARD),
            input_ids=tokens["input_ids"],
            attention_mask=tokens["attention_mask"],
            use_itm_head=False,
        )
    found = model.similarities(faces, CAPTIONS)
    assert np.abs(found - expected.itm_score.numpy()).max() < 1e-5
    assert np.ptp(found, axis=0).min() > 1e-3
    assert np.ptp(found, axis=1).min() > 1e-3


def test_authors_checkpoint_gives_the_same_cosines(folder, model, faces, tmp_path):
    own = tmp_path / "blip"
    own.mkdir()
    write_original(folder, own / "model_base_retrieval_coco.pth")
    expected = model.similarities(faces, CAPTIONS)
    with pytest.raises(UserError, match=r"holds no vocab\.txt .*: put it there"):
        BlipImageText(CARD, own, RUNNING)
    (own / "vocab.txt").write_bytes((folder / "vocab.txt").read_bytes())
    assert np.array_equal(BlipImageText(CARD, own, RUNNING).similarities(faces, CAPTIONS), expected)
    (own / "vocab.txt").rename(own / "words.txt")
    named = with_arguments(size="tiny", vocab="words.txt")
    assert np.array_equal(BlipImageText(named, own, RUNNING).similarities(faces, CAPTIONS), expected)
    write_original(folder, own / "another.pth")
    with pytest.raises(UserError, match=r"must hold one file of weights, not another\.pth, model_base"):
        BlipImageText(named, own, RUNNING)


def test_a_vocabulary_that_no_digest_covers_is_not_read(folder, copied):
    path = copied / "model_base_retrieval_coco.pth"
    write_original(folder, path)
    with pytest.raises(
        UserError, match=r"no digest covers what lies beside model_base.* a folder of their own and name"
    ):
        BlipImageText(CARD, path, RUNNING)
    (copied / ".hidden.txt").write_bytes((folder / "vocab.txt").read_bytes())
    (copied / "elsewhere").symlink_to(folder)
    for name in (str(folder / "vocab.txt"), f"../{folder.name}/vocab.txt", ".hidden.txt", "elsewhere/vocab.txt", 3):
        with pytest.raises(UserError, match="digest") as caught:
            BlipImageText(with_arguments(vocab=name), copied, RUNNING)
        assert str(copied) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_weights_that_a_checkpoint_lacks_are_never_random(copied):
    lose_a_tensor(copied)
    rules = {"allow_missing": ["*"], "allow_unexpected": ["*"]}
    card = ModelCard(**CARD.model_dump() | {"source": "blip", "sha256": "0" * 64, "state": rules})
    with pytest.raises(UserError, match=r"1 missing weights would be random, .* \(text_proj\.bias\)"):
        BlipImageText(card, copied, RUNNING)


def test_a_rehearsal_needs_no_state_rules_of_the_real_checkpoint(folder, model, faces):
    card = CARD.model_copy(update={"state": StateRules(keep="student.")})
    found = BlipImageText(card, folder, RUNNING).similarities(faces, CAPTIONS)
    assert np.array_equal(found, model.similarities(faces, CAPTIONS))


def test_the_method_of_resizing_is_that_of_the_folder(copied):
    bilinear = CARD.model_copy(update={"resize": "bilinear"})
    with pytest.raises(UserError, match="resizing bicubic instead of bilinear: correct the card"):
        BlipImageText(bilinear, copied, RUNNING)
    described = copied / "preprocessor_config.json"
    assert json.loads(described.read_text())["resample"] == 3
    for number, name in ((1, "lanczos"), (9, "by method 9")):
        edit_json(described, resample=number)
        with pytest.raises(UserError, match=f"resizing {name} instead of bicubic"):
            BlipImageText(CARD, copied, RUNNING)
    edit_json(described, resample=2)
    BlipImageText(bilinear, copied, RUNNING)
    # The processor of transformers is bicubic by default.
    described.write_text("{}")
    with pytest.raises(UserError, match="resizing bicubic instead of bilinear"):
        BlipImageText(bilinear, copied, RUNNING)


def test_matching_head_and_cross_attention_are_neither_kept_nor_needed(model, copied, faces):
    kept = model.towers.state_dict()
    assert not any("crossattention" in key or "itm" in key for key in kept)
    whole = load_file(copied / "model.safetensors")
    assert any("crossattention" in key for key in whole)
    (copied / "model.safetensors").unlink()
    torch.save({key: whole[key] for key in kept}, copied / "pytorch_model.bin")
    bare = BlipImageText(CARD, copied, RUNNING)
    assert np.array_equal(bare.similarities(faces, CAPTIONS), model.similarities(faces, CAPTIONS))


def test_captions_are_35_tokens_between_the_marks_of_bert(model):
    ids = model.tokenizer.get_vocab()
    assert [ids[token] for token in ("[CLS]", "[SEP]", "[DEC]", "[ENC]")] == [101, 102, 998, 999]
    seen = []
    hook = model.towers.text_encoder.register_forward_pre_hook(
        lambda _, inputs, options: seen.append((inputs[0][0].tolist(), options["attention_mask"][0].tolist())),
        with_kwargs=True,
    )
    model.text_features("face")
    model.text_features("face " * 60)
    hook.remove()
    face = ids["face"]
    assert seen[0] == ([101, face, 102] + [0] * 32, [1] * 3 + [0] * 32)
    assert seen[1] == ([101] + [face] * 33 + [102], [1] * 35)


def test_input_normalisation_changes_the_cosine(model, faces):
    plain = model.similarity(faces, CAPTIONS[0])
    for changed in (faces[..., ::-1], faces // 2, faces[:, ::4, ::4]):
        assert np.abs(model.similarity(np.ascontiguousarray(changed), CAPTIONS[0]) - plain).max() > 1e-3


def test_bfloat16_changes_cosines_little(folder, model, faces):
    half = BlipImageText(CARD, folder, Execution(precision="bfloat16", micro_batch=2)).similarities(faces, CAPTIONS)
    assert half.dtype == np.float32
    assert 0 < np.abs(half - model.similarities(faces, CAPTIONS)).max() < 2e-2


def test_equal_seeds_give_equal_bytes(folder, tmp_path):
    write_random(CARD, tmp_path / "again", seed=4)
    write_random(CARD, tmp_path / "other", seed=5)
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.json", "preprocessor_config.json", "model.safetensors", "vocab.txt"}
    assert all((tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes() for name in names)
    weights = "model.safetensors"
    assert (tmp_path / "other" / weights).read_bytes() != (folder / weights).read_bytes()


def edit_json(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def lose_a_tensor(folder):
    state = load_file(folder / "model.safetensors")
    del state["text_proj.bias"]
    save_file({**state, "text_decoder.bert.pooler": torch.zeros(1)}, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda folder: (folder / "config.json").unlink(), r"config\.json describes no BLIP model"),
        (lambda folder: (folder / "config.json").write_text("{"), r"config\.json describes no BLIP model"),
        (lambda folder: edit_json(folder / "config.json", model_type="clip"), "model_type is 'clip'"),
        (lambda folder: edit_json(folder / "config.json", text_config={"hidden_size": "x"}), "hidden_size"),
        (lambda folder: edit_json(folder / "config.json", text_config={"hidden_size": 30}), "fits no BLIP"),
        (lambda folder: edit_json(folder / "config.json", vision_config={}), "size 384 instead of 48"),
        (lambda folder: edit_json(folder / "preprocessor_config.json", image_mean=[0.5] * 3), "mean .* instead of"),
        (lambda folder: (folder / "model.safetensors").unlink(), "holds no weights"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"no tensors"), "no whole safetensors file"),
        (lose_a_tensor, r"1 keys are missing \(text_proj.bias\); 1 are unexpected \(text_decoder"),
        (lambda folder: (folder / "vocab.txt").write_text("[PAD]\n[CLS]\n"), "is not the vocabulary"),
    ],
)
def test_damaged_folder_is_named_in_one_sentence(copied, damage, complaint):
    damage(copied)
    with pytest.raises(UserError, match=complaint) as caught:
        BlipImageText(CARD, copied, RUNNING)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"size": "huge"}, "size must be one of base, tiny"),
        ({"heads": 3}, "not heads"),
        ({"config": 3}, "describe a BLIP"),
    ],
)
def test_impossible_arguments_are_refused(arguments, complaint, tmp_path):
    with pytest.raises(UserError, match=complaint):
        write_random(CARD.model_copy(update={"arguments": arguments}), tmp_path, 0)
