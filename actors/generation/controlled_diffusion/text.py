"""Encodes prompts to the features that the U-Net attends to, each distinct prompt once."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from synfiqa.actors.generation.controlled_diffusion.arguments import DiffusionArguments
from synfiqa.schemas.errors import UserError

CONTEXT = 77
"""Tokens of a prompt, its two end marks included."""
MARKS = "<|startoftext|>", "<|endoftext|>"
FILES = "vocab.json", "merges.txt"


def load_tokenizer(folder: Path) -> CLIPTokenizer:
    """Return CLIP's tokenizer from a folder with vocab.json and merges.txt, or tokenizer.json; UserError if damaged."""
    whole = all((folder / name).is_file() for name in FILES) or (folder / "tokenizer.json").is_file()
    if not whole:
        raise UserError(f"{folder} holds no tokenizer: {' and '.join(FILES)} of CLIP ViT-L/14 must lie there")
    try:
        tokenizer = CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # the library raises errors of any type on damaged files
        line = " ".join(str(error).split())[:160] or type(error).__name__
        raise UserError(f"the tokenizer in {folder} cannot be read ({line}): fetch the folder again") from error
    assert isinstance(tokenizer, CLIPTokenizer)
    if not set(MARKS) <= tokenizer.get_vocab().keys():
        raise UserError(f"the tokenizer in {folder} lacks {' and '.join(MARKS)}: put CLIP's there")
    return tokenizer


def tokenizer_folder(path: Path, arguments: DiffusionArguments) -> Path:
    """Return the tokenizer's folder inside that of a model: with Stable Diffusion's, else with CLIP's files."""
    own = path / arguments.stable_diffusion / "tokenizer"
    return own if own.is_dir() else path / arguments.clip


def check_prompts(prompts: Iterable[str], tokenizer: CLIPTokenizer) -> None:
    """Raise UserError for prompts that are longer than the text encoder's context."""
    lengths = {prompt: len(tokenizer(prompt)["input_ids"]) for prompt in prompts}
    if long := [prompt for prompt, length in lengths.items() if length > CONTEXT]:
        shown = f"'{long[0][:60]}...' has {lengths[long[0]]}"
        more = f", and {len(long) - 1} more are too long" if len(long) > 1 else ""
        raise UserError(f"a prompt may have {CONTEXT} tokens but {shown}{more}: shorten it")


class PromptEncoder:
    """Encodes prompts to features (77, width), each in its own call, so that none depends on others."""

    def __init__(self, tokenizer: CLIPTokenizer, encoder: CLIPTextModel, device: str, dtype: torch.dtype) -> None:
        """Move the encoder to its device and precision."""
        self.tokenizer = tokenizer
        self._encoder = encoder.eval().requires_grad_(False)
        nn.Module.to(self._encoder, device, dtype)
        self._device = device
        self._known: dict[str, Tensor] = {}

    def __call__(self, prompts: Sequence[str]) -> Tensor:
        """Return (N, 77, width); UserError when one is too long."""
        check_prompts((prompt for prompt in prompts if prompt not in self._known), self.tokenizer)
        return torch.stack([self._features(prompt) for prompt in prompts])

    def _features(self, prompt: str) -> Tensor:
        if prompt not in self._known:
            ids = self.tokenizer(prompt, padding="max_length", max_length=CONTEXT, return_tensors="pt")["input_ids"]
            # No mask: the published encoder attends to the padding, too.
            self._known[prompt] = self._encoder(input_ids=ids.to(self._device)).last_hidden_state[0]
        return self._known[prompt]
