import json

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file

from synfiqa.actors.image_text.captions import REFERENCE_CAPTION
from synfiqa.actors.image_text.open_clip import OpenClipImageText, write_random
from synfiqa.actors.image_text.word_pieces import bert_vocabulary
from synfiqa.actors.imaging.preprocess import network_input
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.actors.nets.open_clip_towers import build_towers, published_config
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard, StateRules

CAPTIONS = [REFERENCE_CAPTION, "two small dogs on the beach"]
TEXT = {"context_length": 40, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": TEXT,
}
CARD = ModelCard(
    name="vit",
    role="image_text",
    architecture="open-clip",
    arguments={"config": CONFIG},
    source="random:4",
    input_size=32,
    channels="rgb",
    value_range=None,
    normalise="clip",
    resize="bicubic",
    output="cosine of image and caption, -1..1",
    licence="MIT",
    commercial_use=True,
)
RUNNING = Execution(micro_batch=2)


def with_arguments(**arguments):
    return CARD.model_copy(update={"arguments": arguments})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of open_clip's hub layout."""
    path = tmp_path_factory.mktemp("open-clip") / "ViT-tiny"
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
    return OpenClipImageText(with_arguments(), folder, RUNNING)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A folder with the configuration and tokenizer of a small BERT, as transformers would write it."""
    path = tmp_path_factory.mktemp("bert")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    (path / "config.json").write_text(json.dumps({"model_type": "bert", "vocab_size": 1000, **sizes}))
    (path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    (path / "vocab.txt").write_text("\n".join(bert_vocabulary(1000)) + "\n")
    return path


@pytest.fixture(scope="module")
def faces():
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(0, 255, (3, 3, 5, 5)))
    smooth = torch.nn.functional.interpolate(coarse, (112, 112), mode="bilinear").permute(0, 2, 3, 1)
    return smooth.round().to(torch.uint8).numpy()


def test_cosines_are_those_of_open_clip(folder, model, faces):
    theirs = open_clip.create_model(f"local-dir:{folder}").eval()
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    with torch.inference_mode():
        images = theirs.encode_image(network_input(faces, CARD), normalize=True)
        texts = theirs.encode_text(tokenizer(CAPTIONS), normalize=True)
    found = model.similarities(faces, CAPTIONS)
    assert np.abs(found - (images @ texts.T).numpy()).max() < 1e-5
    assert np.ptp(found, axis=0).min() > 1e-3
    assert np.ptp(found, axis=1).min() > 1e-3


@pytest.mark.parametrize("name", ["weights.safetensors", "epoch_32.pt"])
def test_a_weights_file_and_its_configuration_give_the_same(folder, model, faces, tmp_path, name):
    state = load_file(folder / "open_clip_model.safetensors")
    path = tmp_path / name
    if path.suffix == ".pt":
        torch.save({"epoch": 32, "state_dict": {f"module.{key}": value for key, value in state.items()}}, path)
    else:
        save_file(state, path)
    found = OpenClipImageText(CARD, path, RUNNING).similarities(faces, CAPTIONS)
    assert np.array_equal(found, model.similarities(faces, CAPTIONS))


def test_weights_older_than_the_text_module_load(folder, model, faces, tmp_path):
    card = with_arguments(config={**CONFIG, "custom_text": True})
    state = load_file(folder / "open_clip_model.safetensors")
    assert "text_projection" in state
    save_file(state, tmp_path / "old.safetensors")
    found = OpenClipImageText(card, tmp_path / "old.safetensors", RUNNING).similarities(faces, CAPTIONS)
    assert found == pytest.approx(model.similarities(faces, CAPTIONS), abs=1e-6)


@pytest.mark.parametrize(
    "config",
    [
        {"custom_text": True, "vision_cfg": {"timm_model_name": "test_vit", "timm_pool": "token", "image_size": 160}},
        {
            "multimodal_cfg": {"context_length": 40, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
            "text_cfg": {**TEXT, "embed_cls": True, "output_tokens": True},
            "vision_cfg": {**CONFIG["vision_cfg"], "output_tokens": True},
        },
        {"init_logit_bias": -10, "custom_text": True, "text_cfg": {**TEXT, "pool_type": "last", "proj_bias": True}},
    ],
    ids=["timm", "coca", "siglip"],
)
def test_other_kinds_of_towers_work(config, faces, tmp_path):
    config = {**CONFIG, **config}
    card = with_arguments(config=config).model_copy(update={"input_size": config["vision_cfg"]["image_size"]})
    write_random(card, tmp_path, seed=1)
    found = OpenClipImageText(card, tmp_path, RUNNING).similarities(faces, CAPTIONS)
    assert np.abs(found).max() <= 1
    assert np.ptp(found) > 1e-3


HF_TEXT = {"hf_model_name": "nobody/nowhere", "hf_tokenizer_name": "nobody/nowhere", "hf_pooler_type": "mean_pooler"}
HF_CONFIG = {**CONFIG, "text_cfg": {**HF_TEXT, "context_length": 20, "tokenizer_kwargs": {"strip_sep_token": True}}}


@pytest.fixture
def whole(bert, tmp_path):
    """A folder of a model whose text tower is one of transformers', which lies in a folder inside."""
    path = tmp_path / "whole"
    (path / "bert").mkdir(parents=True)
    for source in bert.iterdir():
        (path / "bert" / source.name).write_bytes(source.read_bytes())
    with torch.device("meta"):
        towers = build_towers(HF_CONFIG, path / "bert")
    save_file(random_state(towers, 1), path / "open_clip_model.safetensors")
    (path / "open_clip_config.json").write_text(json.dumps({"model_cfg": HF_CONFIG}))
    return path


def test_text_tower_and_tokenizer_of_transformers_come_from_a_folder_inside(whole, faces):
    card = with_arguments(text_tower="bert")
    model = OpenClipImageText(card, whole, RUNNING)
    assert model.tokenizer(["a face"]).tolist()[0][:4] == [101, *model.tokenizer.tokenizer("a face").input_ids[1:3], 0]
    found = model.similarities(faces, CAPTIONS)
    assert np.ptp(found, axis=1).min() > 1e-3
    with pytest.raises(UserError, match=r"arguments\.text_tower"):
        OpenClipImageText(with_arguments(), whole, RUNNING)
    described = whole / "bert" / "config.json"
    described.write_text(json.dumps(json.loads(described.read_text()) | {"auto_map": {"AutoConfig": "code.Config"}}))
    with pytest.raises(UserError, match="needs its own code"):
        OpenClipImageText(card, whole, RUNNING)


def test_the_card_can_describe_a_folder_without_a_configuration(whole, faces):
    expected = OpenClipImageText(with_arguments(text_tower="bert"), whole, RUNNING).similarities(faces, CAPTIONS)
    (whole / "open_clip_config.json").unlink()
    (whole / "open_clip_model.safetensors").rename(whole / "epoch_32.pt")
    card = with_arguments(config=HF_CONFIG, text_tower="bert", tokenizer="bert")
    assert np.array_equal(OpenClipImageText(card, whole, RUNNING).similarities(faces, CAPTIONS), expected)


@pytest.mark.parametrize("argument", ["text_tower", "tokenizer"])
def test_files_that_no_digest_covers_are_not_read(whole, bert, argument):
    (whole / "link").symlink_to(bert)
    (whole / ".bert").mkdir()
    (whole / ".bert" / "config.json").write_bytes((bert / "config.json").read_bytes())
    for name in (str(bert), f"../../{bert.name}", "link", ".bert", "absent", 3):
        with pytest.raises(
            UserError, match=rf"arguments\.{argument}.* digest|digest .*arguments\.{argument}"
        ) as caught:
            OpenClipImageText(with_arguments(**{"text_tower": "bert", argument: name}), whole, RUNNING)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=f"{argument} names files beside the weights, which no digest covers"):
        OpenClipImageText(
            with_arguments(config=HF_CONFIG, **{argument: "bert"}), whole / "open_clip_model.safetensors", RUNNING
        )


def test_a_tokenizer_of_transformers_needs_a_folder(folder):
    card = with_arguments(config={**CONFIG, "text_cfg": {**TEXT, "hf_tokenizer_name": "nobody/nowhere"}})
    with pytest.raises(UserError, match="put its files and the weights into one folder, name that as source"):
        OpenClipImageText(card, folder / "open_clip_model.safetensors", RUNNING)
    with pytest.raises(UserError, match=r"needs files of nobody/nowhere .* no rehearsal makes: name a real source"):
        write_random(card, folder / "other", 0)


def test_a_tokenizer_that_names_a_file_elsewhere_is_refused(whole, bert):
    described = whole / "bert" / "tokenizer_config.json"
    described.write_text(json.dumps({"tokenizer_class": "BertTokenizer", "vocab": str(bert / "vocab.txt")}))
    with pytest.raises(UserError, match=r"tokenizer_config\.json names a file as vocab: leave that out"):
        OpenClipImageText(with_arguments(text_tower="bert"), whole, RUNNING)


def real(state):
    """The card of a checkpoint rather than of a rehearsal, with state rules of its own."""
    return ModelCard(**CARD.model_dump() | {"source": "w.pt", "sha256": "0" * 64, "state": state})


def test_state_rules_need_not_include_the_temperature(folder, model, faces, tmp_path):
    state = load_file(folder / "open_clip_model.safetensors")
    assert "logit_scale" in state
    for content in (state, {key: value for key, value in state.items() if not key.startswith("logit")}):
        torch.save({"ema": {f"net.{key}": value for key, value in content.items()}}, tmp_path / "w.pt")
        found = OpenClipImageText(real({"unwrap": ["ema"], "strip": ["net."]}), tmp_path / "w.pt", RUNNING)
        assert np.array_equal(found.similarities(faces, CAPTIONS), model.similarities(faces, CAPTIONS))


def test_weights_that_a_checkpoint_lacks_are_never_random(copied):
    lose_a_tensor(copied)
    with pytest.raises(UserError, match=r"1 missing weights would be random, .* \(visual\.proj\)"):
        OpenClipImageText(real({"allow_missing": ["visual.*"]}), copied / "open_clip_model.safetensors", RUNNING)


def test_a_rehearsal_needs_no_state_rules_of_the_real_checkpoint(folder, model, faces):
    card = with_arguments().model_copy(update={"state": StateRules(keep="student.")})
    found = OpenClipImageText(card, folder, RUNNING).similarities(faces, CAPTIONS)
    assert np.array_equal(found, model.similarities(faces, CAPTIONS))


@pytest.mark.parametrize("said", [None, "random", "bicubic"])
def test_a_folder_without_a_method_resizes_like_open_clip(copied, said):
    described(copied, preprocess_cfg={"interpolation": said})
    OpenClipImageText(with_arguments(), copied, RUNNING)
    with pytest.raises(UserError, match="resizing bicubic instead of bilinear: correct the card"):
        OpenClipImageText(with_arguments().model_copy(update={"resize": "bilinear"}), copied, RUNNING)


def test_input_normalisation_changes_the_cosine(model, faces):
    plain = model.similarity(faces, CAPTIONS[0])
    for changed in (faces[..., ::-1], faces // 2, faces[:, ::4, ::4]):
        assert np.abs(model.similarity(np.ascontiguousarray(changed), CAPTIONS[0]) - plain).max() > 1e-3


def test_bfloat16_changes_cosines_little(folder, model, faces):
    running = Execution(precision="bfloat16", micro_batch=2)
    half = OpenClipImageText(with_arguments(), folder, running).similarities(faces, CAPTIONS)
    assert half.dtype == np.float32
    assert 0 < np.abs(half - model.similarities(faces, CAPTIONS)).max() < 2e-2


def test_published_configurations_are_found_by_name():
    config = published_config("ViT-B-32")
    with torch.device("meta"):
        towers = build_towers(config)
    assert sum(tensor.numel() for tensor in towers.parameters()) == 151_277_313


def described(folder, **changes):
    path = folder / "open_clip_config.json"
    content = json.loads(path.read_text())
    for section, values in changes.items():
        content[section] |= values
    path.write_text(json.dumps(content))


def lose_a_tensor(folder):
    state = load_file(folder / "open_clip_model.safetensors")
    del state["visual.proj"]
    save_file(state, folder / "open_clip_model.safetensors")


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda folder: (folder / "open_clip_config.json").unlink(), "describes no open_clip model"),
        (lambda folder: (folder / "open_clip_config.json").write_text("[]"), "describes no open_clip model"),
        (lambda folder: described(folder, preprocess_cfg={"mean": [0.5] * 3}), "mean .* instead of"),
        (lambda folder: described(folder, preprocess_cfg={"std": [0.5] * 3}), "deviation .* instead of"),
        (lambda folder: described(folder, preprocess_cfg={"interpolation": "bilinear"}), "resizing bilinear instead"),
        (lambda folder: described(folder, preprocess_cfg={"interpolation": "nearest"}), "resizing nearest instead of"),
        (lambda folder: described(folder, model_cfg={"vision_cfg": {"image_size": 64}}), "size .* instead of 32"),
        (lambda folder: described(folder, model_cfg={"depth": 3}), "cannot build it .*depth"),
        (lambda folder: described(folder, model_cfg={"vision_cfg": {"timm_model_name": "hf-hub:a/b"}}), "be fetched"),
        (lambda folder: described(folder, model_cfg={"text_cfg": {"hf_tokenizer_name": "a/b"}}), "cannot build it"),
        (
            lambda folder: described(folder, model_cfg={"text_cfg": {"tokenizer_kwargs": {"trust_remote_code": True}}}),
            "tokenizer options trust_remote_code are not allowed",
        ),
        (lambda folder: (folder / "open_clip_model.safetensors").unlink(), "holds no weights"),
        (lambda folder: (folder / "open_clip_model.safetensors").write_bytes(b"?"), "no whole safetensors file"),
        (lose_a_tensor, r"1 keys are missing \(visual\.proj\)"),
    ],
)
def test_damaged_or_disagreeing_folder_is_named_in_one_sentence(copied, damage, complaint):
    damage(copied)
    with pytest.raises(UserError, match=complaint) as caught:
        OpenClipImageText(with_arguments(), copied, RUNNING)
    assert "\n" not in str(caught.value)


def test_tokenizer_with_more_ids_than_the_text_tower_is_refused(faces, tmp_path):
    card = with_arguments(config={**CONFIG, "text_cfg": {**TEXT, "vocab_size": 500}})
    write_random(card, tmp_path, seed=1)
    with pytest.raises(UserError, match="text tower has 500"):
        OpenClipImageText(card, tmp_path, RUNNING).similarity(faces, CAPTIONS[0])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, "either model, such as ViT-B-32, or config"),
        ({"model": "ViT-B-32", "config": CONFIG}, "either model, such as ViT-B-32, or config"),
        ({"model": "hf-hub:laion/anything"}, "has no model 'hf-hub:laion/anything'"),
        ({"model": 3}, "has no model 3"),
        ({"config": CONFIG, "pretrained": "openai"}, "not pretrained"),
        ({"config": {"embed_dim": 16}}, "cannot build it"),
    ],
)
def test_impossible_arguments_are_refused(arguments, complaint, tmp_path):
    with pytest.raises(UserError, match=complaint):
        write_random(with_arguments(**arguments), tmp_path, 0)
