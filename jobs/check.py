"""Job: is all there that a generate job needs? Config, cards, licences, weights, prompts and bank; no network loads."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from actors.backends import Players
from actors.card_arguments import arguments_of
from actors.conditional_backends import backend_of
from actors.model_store.cache import locate
from actors.model_store.catalogue import Model
from actors.model_store.selection import model_digests, run_models
from cluster.errors import UserError
from schemas.config import RunConfig
from schemas.model_card import BUILT_IN, RANDOM


def run_check(config: RunConfig) -> None:
    """Print a line a model and what a run would make; UserError in one sentence for the first thing that is wrong."""
    chosen = run_models(config.models)
    model_digests(config)
    backend = backend_of(config, Players(chosen))
    recipes = backend.recipes(0)
    texts = check_texts(chosen.conditional.diffusion) if chosen.conditional else 0
    for model in chosen.everything():
        allowed = "commercial use" if model.card.commercial_use else "no commercial use"
        _say(f"{model.name}: {model.card.role}, {_place(model)}, {model.card.licence}, {allowed}")
    generate = config.generate
    _say(f"{texts} prompts fit" if texts else "no prompts: samples are rendered")
    _say(f"{len({recipe.template for recipe in recipes} - {''})} templates an identity")
    _say(f"{generate.identities} identities of {len(recipes)} samples each can be made")


def check_texts(model: Model) -> int:
    """Return how many texts of a conditional diffusion model fit its text encoder; UserError for one too long."""
    from actors.controlled_diffusion.arguments import DiffusionArguments
    from actors.controlled_diffusion.layout import LAYOUTS
    from actors.controlled_diffusion.rehearsal import write_tokenizer
    from actors.controlled_diffusion.text import check_prompts, load_tokenizer, tokenizer_folder

    arguments = arguments_of(model.card, DiffusionArguments)
    texts = arguments.prompts.everything()
    if model.origin.startswith(RANDOM):
        with TemporaryDirectory() as folder:
            write_tokenizer(Path(folder), LAYOUTS[arguments.size].text["vocab_size"], arguments.prompts)
            check_prompts(texts, load_tokenizer(Path(folder)))
        return len(texts)
    path = locate(model)
    for name in (arguments.stable_diffusion, arguments.control, arguments.clip):
        if not (path / name).exists():
            raise UserError(
                f"model '{model.name}': {path / name} is missing: put it there or name what is there in the card's "
                "arguments"
            )
    check_prompts(texts, load_tokenizer(tokenizer_folder(path, arguments)))
    return len(texts)


def _place(model: Model) -> str:
    if model.origin == BUILT_IN:
        return "code"
    return "random weights" if model.origin.startswith(RANDOM) else "here, as its card says"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    from jobs.cli import main

    main(["generate", *sys.argv[1:], "--check"])
