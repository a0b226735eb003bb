"""Checks config, cards, licences, weights, prompts, template bank and candidate limit of a generate job."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from synfiqa.actors.degradation.camera.lossy_codecs import require_avif
from synfiqa.actors.generation.conditional.backends import backend_of
from synfiqa.actors.model_store.card_files import arguments_of
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.resolved_run import ResolvedRun, resolve, verify_weights
from synfiqa.actors.model_store.selection import RunModels
from synfiqa.actors.players import Players
from synfiqa.actors.quality.factories import ScorerSettings, require_buildable
from synfiqa.jobs.generation.bundled_faces import candidates_line, require_enough
from synfiqa.jobs.terminal.output import say
from synfiqa.schemas.config.generate import DiffusionSection
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import BUILT_IN, RANDOM


@dataclass(frozen=True)
class Fitness:
    """Models of a run with their digests, and its number of texts, of templates and of samples of an identity."""

    models: RunModels
    digests: dict[str, str]
    texts: int
    templates: int
    samples: int


def require_fit(run: ResolvedRun) -> Fitness:
    """Return what the run is made of; UserError in one sentence for the first thing that is wrong.

    Weights are verified, prompts tokenised and the template bank is read; no network loads but an embedder whose
    layers a scorer of `models.scorers` reads.
    """
    require_enough(run)
    if (shots := run.config.generate.shots) and shots.draws_avif:
        require_avif()
    weights = verify_weights(run)
    settings = ScorerSettings(run.catalogue, run.models.embedder.name, run.config.run.seed)
    require_buildable(run.config.models.scorers, settings, "models.scorers")
    recipes = backend_of(run, Players(run.models)).recipes(0)
    texts = _check_chain(run.config.diffusion, run.models, weights.paths)
    return Fitness(
        run.models, weights.digests, texts, len({recipe.template for recipe in recipes} - {""}), len(recipes)
    )


def run_check(config: RunConfig) -> None:
    """Print a line a model and what a run would make; UserError in one sentence for the first thing that is wrong."""
    run = resolve(config)
    fit = require_fit(run)
    for model in fit.models.all_models():
        allowed = "commercial use" if model.card.commercial_use else "no commercial use"
        say(f"{model.name}: {model.card.role}, {_place(model)}, {model.card.licence}, {allowed}")
    say(f"{fit.texts} prompts fit" if fit.texts else "no prompts: samples are rendered")
    say(f"{fit.templates} templates an identity")
    say(f"{config.generate.identities} identities of {fit.samples} samples each can be made")
    say(candidates_line(run))
    if config.placement.device == "cuda":
        say("placement.device is cuda: a run needs GPUs in its cluster; this check does not look for them")


def _check_chain(settings: DiffusionSection, chosen: RunModels, paths: Mapping[str, Path]) -> int:
    """Check the cards and prompts of the generative chain, which workers would load hours later; return the texts."""
    from synfiqa.actors.model_store.loading import check_card

    chain = chosen.conditional.all_models() if chosen.conditional else []
    for model in (chosen.identity_generator, chosen.conditional_generator, *chain):
        check_card(model.card)
    if chosen.conditional is None:
        return 0
    from synfiqa.actors.generation.face_model.renderer import renderer_named

    renderer_named(settings.renderer)
    return check_texts(chosen.conditional.diffusion, paths)


def check_texts(model: Model, paths: Mapping[str, Path]) -> int:
    """Return how many texts of a conditional diffusion model fit its text encoder; UserError for one too long."""
    from synfiqa.actors.generation.controlled_diffusion.arguments import DiffusionArguments
    from synfiqa.actors.generation.controlled_diffusion.layout import LAYOUTS
    from synfiqa.actors.generation.controlled_diffusion.rehearsal import write_tokenizer
    from synfiqa.actors.generation.controlled_diffusion.text import check_prompts, load_tokenizer, tokenizer_folder

    arguments = arguments_of(model.card, DiffusionArguments)
    texts = arguments.prompts.all_prompts()
    if model.origin.startswith(RANDOM):
        with TemporaryDirectory() as folder:
            write_tokenizer(Path(folder), LAYOUTS[arguments.size].text["vocab_size"], arguments.prompts)
            check_prompts(texts, load_tokenizer(Path(folder)))
        return len(texts)
    path = paths[model.name]
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
    return "random weights" if model.origin.startswith(RANDOM) else "here, its digest is that of its card"
