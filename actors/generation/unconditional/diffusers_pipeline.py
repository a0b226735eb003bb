"""Generates pseudo-identity portraits by any unconditional pixel pipeline of diffusers (DDPM, DDIM) in a local folder.

The folder's layout is the library's: `model_index.json`, `unet/` and `scheduler/`. Its files only describe classes of
the library; weights must be safetensors, and no code of the folder runs.
"""

import inspect
import json
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import diffusers
import torch
from pydantic import Field
from safetensors.torch import save_file
from torch import Tensor

from synfiqa.actors.generation.unconditional.candidates import PixelMap, candidates
from synfiqa.actors.generation.unconditional.diffusion_chain import TRAINING_STEPS
from synfiqa.actors.model_store.card_files import arguments_of
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.actors.model_store.state import fit_state, read_state
from synfiqa.actors.roles import Candidate
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import RANDOM, CardPart, ModelCard, StateRules

INDEX, UNET, SCHEDULER = "model_index.json", "unet/config.json", "scheduler/scheduler_config.json"
WEIGHTS = "unet/diffusion_pytorch_model.safetensors"
PIPELINES = {"DDPMPipeline": 1000, "DDIMPipeline": 50}
"""Supported pipelines, and their default numbers of steps."""
TINY = {
    "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
    "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
    "block_out_channels": [32, 64],
    "layers_per_block": 1,
}
"""Default arguments of a rehearsal's network."""


class DiffusersArguments(CardPart):
    """Card arguments of the sampler, and of the folder that a rehearsal writes."""

    steps: int | None = Field(None, ge=1, le=TRAINING_STEPS, description="None: 1,000 of a DDPM, 50 of a DDIM pipeline")
    eta: float = Field(0.0, ge=0, le=1, description="share of fresh noise in each step of DDIM schedulers")
    pixels: PixelMap = Field("fixed", description="-1..1 to 0..255 for all alike, or stretched each")
    pipeline: Literal["DDPMPipeline", "DDIMPipeline"] | None = Field(None, description="of random:SEED; None: DDPM")
    unet: dict[str, Any] | None = Field(None, description="of random:SEED: arguments of diffusers' UNet2DModel")
    scheduler: dict[str, Any] | None = Field(None, description="of random:SEED: arguments of the pipeline's scheduler")


class DiffusersIdentityGenerator:
    """`IdentityGenerator` on an unconditional diffusers pipeline: a generator per image, constant micro-batches."""

    def __init__(self, card: ModelCard, path: Path, running: Execution) -> None:
        """Load network and scheduler of the folder; UserError when a part is missing, damaged or of another kind."""
        self.card = card
        self.running = running
        self._arguments = settings_of(card)
        index = _read_json(path / INDEX)
        steps = _default_steps(index, path / INDEX)
        self.unet = _unet(card, index, path).to(running.device, running.dtype)
        self.scheduler = _scheduler(card, index, path, self.unet)
        self.steps = self._arguments.steps or min(steps, self.scheduler.config.num_train_timesteps)
        try:
            self.scheduler.set_timesteps(self.steps)
        except ValueError as error:
            raise UserError(f"model '{card.name}': its scheduler cannot take {self.steps} steps ({error})") from error
        taken = inspect.signature(self.scheduler.step).parameters
        self._random = "generator" in taken
        self._options = {"eta": self._arguments.eta} if "eta" in taken else {}

    def generate(self, seeds: Sequence[int]) -> list[Candidate]:
        """Return one portrait (S, S, 3) per seed, in order; ValueError names seeds whose portrait is not finite."""
        return candidates(seeds, self.running.call_size, self._sample, self._arguments.pixels)

    def _sample(self, seeds: list[int]) -> Tensor:
        # On the CPU, because numbers of a GPU's generator depend on the GPU's size.
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        shape = (3, self.card.input_size, self.card.input_size)
        options = self._options | ({"generator": generators} if self._random else {})
        # Resets the schedulers that keep earlier steps.
        self.scheduler.set_timesteps(self.steps)
        with torch.inference_mode():
            x = torch.stack([torch.randn(shape, generator=generator) for generator in generators])
            x = x.to(self.running.device) * self.scheduler.init_noise_sigma
            for step in self.scheduler.timesteps:
                scaled = self.scheduler.scale_model_input(x, step)
                output = self.unet(scaled.to(self.running.dtype), step).sample.float()
                x = self.scheduler.step(output, step, x, **options).prev_sample
        return x


def write_random(card: ModelCard, folder: Path, seed: int) -> None:
    """Write a pipeline folder with random weights: the card's `pipeline`, `unet` and `scheduler`, or a tiny DDPM."""
    arguments = arguments_of(card, DiffusersArguments)
    pipeline = arguments.pipeline or "DDPMPipeline"
    kind: Any = diffusers.DDIMScheduler if pipeline == "DDIMPipeline" else diffusers.DDPMScheduler
    try:
        with torch.device("meta"):
            unet: Any = diffusers.UNet2DModel(**{"sample_size": card.input_size, **TINY, **(arguments.unet or {})})
        scheduler = kind(**(arguments.scheduler or {}))
    except (TypeError, ValueError, NotImplementedError) as error:
        raise UserError(f"model '{card.name}': diffusers cannot build it ({_line(error)})") from error
    unet.save_config(folder / "unet")
    scheduler.save_pretrained(folder / "scheduler")
    save_file(random_state(unet, seed), folder / WEIGHTS)
    parts = {"scheduler": ["diffusers", kind.__name__], "unet": ["diffusers", "UNet2DModel"]}
    index = {"_class_name": pipeline, "_diffusers_version": diffusers.__version__} | parts
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def settings_of(card: ModelCard) -> DiffusersArguments:
    """Return the sampler's settings on a card; UserError for arguments that do not fit or that the folder sets."""
    arguments = arguments_of(card, DiffusersArguments)
    ruled = [name for name in ("pipeline", "unet", "scheduler") if getattr(arguments, name) is not None]
    if ruled and not card.source.startswith(RANDOM):
        raise UserError(
            f"model '{card.name}': its folder determines {', '.join(ruled)}: leave it out of the arguments, which "
            f"describe {RANDOM}SEED only"
        )
    return arguments


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{path} describes no diffusers model ({_line(error)}): fetch the whole folder again"
        ) from error


def _default_steps(index: dict[str, Any], path: Path) -> int:
    name = index.get("_class_name")
    if name not in PIPELINES:
        raise UserError(
            f"{path} describes a {name}: only {' and '.join(PIPELINES)} generate portraits from noise alone"
        )
    return PIPELINES[name]


def _class_of(index: dict[str, Any], part: str, kind: type, path: Path) -> Any:
    """Return the class of the library that the index names for the part; UserError for any other."""
    entry = index.get(part)
    library, name = entry if isinstance(entry, list) and len(entry) == 2 else (None, None)
    found = getattr(diffusers, name, None) if library == "diffusers" and isinstance(name, str) else None
    if not (isinstance(found, type) and issubclass(found, kind)):
        raise UserError(
            f"{path / INDEX} names {entry} as its {part}: it must be a {kind.__name__} of diffusers, "
            "because other code is not run"
        )
    return found


def _unet(card: ModelCard, index: dict[str, Any], path: Path) -> Any:
    kind = _class_of(index, "unet", diffusers.UNet2DModel, path)
    config = _read_json(path / UNET)
    try:
        unet = kind.from_config(config)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise UserError(f"{path / UNET} describes no network that diffusers can build ({_line(error)})") from error
    size = unet.config.sample_size
    sides = {size} if isinstance(size, int) else set(size or ())
    if sides != {card.input_size}:
        raise UserError(
            f"model '{card.name}': input_size is {card.input_size} but {path / UNET} declares {size}: correct it"
        )
    if unet.config.in_channels != 3 or unet.config.class_embed_type or unet.config.num_class_embeds:
        raise UserError(f"{path / UNET} takes other input than RGB images alone: name an unconditional pixel pipeline")
    if not (path / WEIGHTS).is_file():
        raise UserError(f"{path} holds no {WEIGHTS}: save the pipeline with safe_serialization on another machine")
    # Files from before 2023 have other names for parts of attention, which the library converts.
    state = OrderedDict(read_state(path / WEIGHTS))
    unet._fix_state_dict_keys_on_load(state)
    fit_state(unet, state, StateRules(), f"model '{card.name}' ({WEIGHTS})")
    return unet.eval().requires_grad_(False)


def _scheduler(card: ModelCard, index: dict[str, Any], path: Path, unet: Any) -> Any:
    kind = _class_of(index, "scheduler", diffusers.SchedulerMixin, path)
    try:
        scheduler = kind.from_config(_read_json(path / SCHEDULER))
    except (TypeError, ValueError, NotImplementedError) as error:
        raise UserError(f"{path / SCHEDULER} describes no scheduler ({_line(error)})") from error
    learned = str(getattr(scheduler.config, "variance_type", "")).startswith("learned")
    if unet.config.out_channels != (6 if learned else 3):
        raise UserError(
            f"model '{card.name}': its network gives {unet.config.out_channels} channels, which its scheduler, a "
            f"{kind.__name__} {'with' if learned else 'without'} learned variance, cannot use"
        )
    return scheduler


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
