"""Computes BLIP's image-text contrastive score; the matching head, unused by MR-FIQA's label, is not loaded."""

import json
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors.torch import save_file
from torch import Tensor
from transformers import BertTokenizer, BlipConfig, BlipForImageTextRetrieval

from synfiqa.actors.image_text.dual_encoder import DualEncoder, check_input
from synfiqa.actors.image_text.word_pieces import bert_vocabulary
from synfiqa.actors.imaging.preprocess import CLIP_MEAN, CLIP_STD
from synfiqa.actors.model_store.card_files import only_checkpoint, side_path
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import rules_for
from synfiqa.actors.model_store.rehearsal import random_tensors
from synfiqa.actors.model_store.state import fit_state, read_state, state_dict_of
from synfiqa.actors.nets.blip_itc import CONTEXT, HUGGING_FACE, ORIGINAL, BlipTowers, blip_config, parts_of
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Files of a folder that may hold its weights, the first that is there."""
RESAMPLE = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
"""Names of Pillow's resampling numbers, which `preprocessor_config.json` holds."""
ADDED = ("[DEC]", "[ENC]")
"""Tokens that BLIP appends to BERT's vocabulary: start of its decoder and of its matching encoder."""


class BlipImageText(DualEncoder):
    """BLIP from a folder of transformers' layout, or from one with the authors' `.pth` and BERT's `vocab.txt`.

    Card arguments: `size` (base or tiny) and `config` (entries over it) describe a `.pth`, the other layout has its
    own configuration; `vocab` is the file name of the vocabulary if it is not vocab.txt.
    """

    def __init__(self, card: ModelCard, path: Path, running: Execution) -> None:
        """Load weights and vocabulary; UserError when a part is missing, damaged or disagrees with the card."""
        arguments = _arguments(card)
        if not path.is_dir():
            raise UserError(
                f"model '{card.name}': BLIP needs BERT's vocab.txt, and no digest covers what lies beside {path.name}: "
                "put both into a folder of their own and name that as its source"
            )
        original = not any((path / name).exists() for name in ("config.json", *WEIGHTS))
        config = _card_config(card, arguments) if original else _folder_config(card, path)
        vision, text = parts_of(config)
        check_input(card, path, size=vision.image_size)
        weights = only_checkpoint(card, path) if original else _weights(path)
        vocabulary = side_path(card, path, arguments.get("vocab", "vocab.txt"), "BERT's vocabulary, arguments.vocab")
        rules = rules_for(card, ORIGINAL if original else HUGGING_FACE)
        self.towers = _skeleton(card, config)
        state = state_dict_of(read_state(weights), rules)
        fit_state(self.towers, state, rules, f"model '{card.name}' ({weights.name})")
        self.tokenizer = _tokenizer(vocabulary, text.vocab_size)
        super().__init__(card, self.towers, running)

    def image_features(self, inputs: Tensor) -> Tensor:
        """Return features (N, D) of network inputs (N, 3, S, S), of any length."""
        features: Tensor = self.towers.image_features(inputs)
        return features

    def text_features(self, caption: str) -> Tensor:
        """Return features (1, D) of a caption padded or cut to 35 tokens, of any length."""
        tokens = self.tokenizer(
            [caption], padding="max_length", truncation=True, max_length=CONTEXT, return_tensors="pt"
        ).to(self._network.running.device)
        features: Tensor = self.towers.text_features(tokens["input_ids"], tokens["attention_mask"])
        return features


def write_random(card: ModelCard, folder: Path, seed: int) -> None:
    """Write a folder of transformers' layout with random weights, matching head included, for the card's size."""
    config = _card_config(card, _arguments(card))
    vision, text = parts_of(config)
    folder.mkdir(parents=True, exist_ok=True)
    with torch.device("meta"):
        whole = BlipForImageTextRetrieval(config).state_dict()
    shapes = {key: (tuple(value.shape), value.dtype) for key, value in whole.items()}
    save_file(random_tensors(shapes, seed), folder / WEIGHTS[0], metadata={"format": "pt"})
    words = bert_vocabulary(text.vocab_size - len(ADDED))
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    side = {"height": vision.image_size, "width": vision.image_size}
    (resample,) = (number for number, name in RESAMPLE.items() if name == card.resize)
    images = {"image_mean": CLIP_MEAN, "image_std": CLIP_STD, "resample": resample, "size": side}
    # Without the library's version, so that a seed gives the same bytes everywhere.
    described = {key: value for key, value in config.to_dict().items() if key != "transformers_version"}
    for name, content in (("config.json", described), ("preprocessor_config.json", images)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _arguments(card: ModelCard) -> dict[str, Any]:
    unknown = card.arguments.keys() - {"size", "config", "vocab"}
    if unknown:
        raise UserError(f"model '{card.name}': BLIP takes size, config and vocab, not {', '.join(sorted(unknown))}")
    return card.arguments


def _card_config(card: ModelCard, arguments: dict[str, Any]) -> BlipConfig:
    try:
        return blip_config(arguments.get("size", "base"), arguments.get("config"))
    except (ValueError, TypeError, AttributeError, StrictDataclassError) as error:
        raise UserError(f"model '{card.name}': arguments do not describe a BLIP ({_line(error)})") from error


def _folder_config(card: ModelCard, folder: Path) -> BlipConfig:
    path = folder / "config.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.get("model_type") != "blip":
            raise ValueError(f"its model_type is {content.get('model_type')!r}, not 'blip'")
        config = BlipConfig.from_dict(content)
        described = folder / "preprocessor_config.json"
        images = json.loads(described.read_text(encoding="utf-8")) if described.exists() else {}
        mean, std = images.get("image_mean"), images.get("image_std")
        resize = _resizing(images) if described.exists() else None
    except (OSError, ValueError, TypeError, AttributeError, StrictDataclassError) as error:
        raise UserError(f"{path} describes no BLIP model ({_line(error)}): fetch the whole folder again") from error
    check_input(card, described, mean=mean, std=std, resize=resize)
    assert isinstance(config, BlipConfig)
    return config


def _resizing(images: dict[str, Any]) -> str:
    number = images.get("resample", 3)  # the default of transformers' processor of BLIP
    return RESAMPLE.get(number, f"by method {number}")


def _skeleton(card: ModelCard, config: BlipConfig) -> BlipTowers:
    try:
        with torch.device("meta"):
            towers = BlipTowers(config)
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        raise UserError(f"model '{card.name}': its configuration fits no BLIP ({_line(error)})") from error
    towers.to_empty(device="cpu").reset_positions()
    return towers


def _weights(folder: Path) -> Path:
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    raise UserError(f"{folder} holds no weights: one of {' and '.join(WEIGHTS)} must lie there")


def _tokenizer(path: Path, size: int) -> BertTokenizer:
    try:
        words = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({_line(error)}): put BERT's vocab.txt there") from error
    tokenizer = BertTokenizer(vocab={word: index for index, word in enumerate(words)})
    tokenizer.add_special_tokens({"bos_token": ADDED[0], "additional_special_tokens": [ADDED[1]]})
    if len(tokenizer) != size or "[CLS]" not in words:
        raise UserError(
            f"{path} and {' and '.join(ADDED)} are {len(tokenizer)} tokens but the network has {size}: it is not the "
            "vocabulary of these weights"
        )
    return tokenizer


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
