"""Measure the conditional diffusion model against a loop like the released one, on the same weights in one process.

`uv run python -m benchmarks.speed.networks.diffusion` counts operations at full size and times a tiny model on one
core. `--gpu` times full-size random weights on a GPU and needs some 20 GB of its memory.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import functional as vision

from synfiqa.actors.generation.controlled_diffusion.arguments import DiffusionArguments
from synfiqa.actors.generation.controlled_diffusion.cost import count
from synfiqa.actors.generation.controlled_diffusion.ddim import schedule, starting_noise
from synfiqa.actors.generation.controlled_diffusion.layout import FULL, LAYOUTS, Layout
from synfiqa.actors.generation.controlled_diffusion.rehearsal import write_random, write_tokenizer
from synfiqa.actors.generation.controlled_diffusion.sampler import ControlledDiffusion
from synfiqa.actors.generation.controlled_diffusion.text import CONTEXT
from synfiqa.actors.generation.controlled_diffusion.weights import Networks, load_networks, skeletons
from synfiqa.actors.model_store.execution import Execution
from synfiqa.schemas.config.base import Precision
from synfiqa.schemas.model_card import ModelCard

RELEASED_BATCH = 10
MATMUL_SIDE = 8192


@dataclass(frozen=True)
class Request:
    """Inputs of a batch of images, on the CPU."""

    control: Tensor
    identity_tokens: Tensor
    face_embedding: Tensor
    prompts: list[str]
    seeds: list[int]


def card_of(size: str, side: int, compiled: bool = False) -> ModelCard:
    """Return a card for random weights."""
    return ModelCard.model_construct(
        name=f"random-{size}-diffusion",
        architecture="controlled-diffusion",
        arguments={"size": size, "compile": compiled},
        source="random:0",
        input_size=side,
        channels="rgb",
        value_range=None,
        normalise="clip",
        resize="bicubic",
    )


def requested(images: int, side: int, layout: Layout, prompts: Sequence[str]) -> Request:
    """Return random inputs; the control maps are zero outside the head."""
    random = np.random.default_rng(0)
    control = torch.from_numpy(random.normal(size=(images, 9, side, side)).astype(np.float32))
    control[:, :, : side // 4] = control[:, :, :, : side // 4] = 0
    count_tokens = (layout.vision["image_size"] // layout.vision["patch_size"]) ** 2 + 1
    tokens = random.normal(size=(images, count_tokens, layout.vision["hidden_size"])).astype(np.float32)
    embedding = random.normal(size=(images, 512)).astype(np.float32)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    texts = [prompts[index % len(prompts)] for index in range(images)]
    return Request(control, torch.from_numpy(tokens), torch.from_numpy(embedding), texts, list(range(images)))


def released(
    networks: Networks, texts: Callable[[Sequence[str]], Tensor], negative: str, request: Request, device: str
) -> np.ndarray:
    """Make one batch as the released script does: all networks at every step for each text, with transfers."""
    networks.unet.to(device)
    networks.control.to(device)
    control, tokens = request.control.to(device), request.identity_tokens.to(device)
    embedding = request.face_embedding.to(device)
    features = [texts(list(request.prompts)), texts([negative] * len(request.prompts))]
    latents = starting_noise(request.seeds, 4, control.shape[-1] // 8).to(device)
    networks.decoder.to("cpu")
    for step in schedule(20):
        at = torch.full((len(latents),), step.time, device=device)
        found = []
        for text in features:
            hint, mask = networks.control.prepare(control)
            residuals = networks.control(latents, at, hint, networks.context(tokens, embedding))
            *down, middle = (
                one * (vision.resize(mask, list(one.shape[-2:]), antialias=True) > 0.5).float() for one in residuals
            )
            found.append(
                networks.unet(
                    latents,
                    at,
                    text,
                    down_block_additional_residuals=down,
                    mid_block_additional_residual=middle,
                    return_dict=False,
                )[0]
            )
        latents = step.apply(latents, found[1] + 7.0 * (found[0] - found[1]))
    networks.unet.to("cpu")
    networks.control.to("cpu")
    networks.decoder.to(device)
    pixels = networks.decoder(latents).permute(0, 2, 3, 1).cpu().numpy()
    return (pixels * 127.5 + 127.5).clip(0, 255).astype(np.uint8)


def seconds(make: Callable[[], object], rounds: int) -> float:
    """Return the best time of so many rounds after one of warm-up."""
    times = []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        make()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begun)
    return min(times[1:])


def matmul_tflops(dtype: torch.dtype) -> float:
    """Measure the TFLOP/s of a large matrix product."""
    one = torch.randn(MATMUL_SIDE, MATMUL_SIDE, device="cuda", dtype=dtype)
    repeats = 20
    taken = seconds(lambda: [one @ one for _ in range(repeats)], 3)
    return repeats * 2 * MATMUL_SIDE**3 / taken / 1e12


def table() -> None:
    """Print the operations of full size."""
    cost = count(FULL, 512)
    for name, value in vars(cost).items():
        print(f"{name:>10}: {value / 1e9:8.1f} GFLOP")
    print(f"     image: {cost.image() / 1e12:8.2f} TFLOP, released {cost.released_image() / 1e12:.2f}")


def on_cpu(rounds: int) -> None:
    """Time a tiny model, one thread, float32, where the difference is computation that is not repeated."""
    torch.set_num_threads(1)
    card, images = card_of("tiny", 64), RELEASED_BATCH
    with tempfile.TemporaryDirectory() as folder:
        write_random(card, Path(folder), 0)
        model = ControlledDiffusion(card, Path(folder), Execution(micro_batch=images))
        networks = load_networks(Path(folder), DiffusionArguments(size="tiny"))
    request = requested(images, 64, LAYOUTS["tiny"], model.prompts.all_prompts()[2:])
    with torch.inference_mode():
        theirs = released(networks, model._texts, model.prompts.negative, request, "cpu")
        ours, _ = model.generate(**vars(request))
        print(f"largest difference: {np.abs(ours.astype(int) - theirs).max()} grey levels")
        slow = seconds(lambda: released(networks, model._texts, model.prompts.negative, request, "cpu"), rounds)
    fast = seconds(lambda: model.generate(**vars(request)), rounds)
    cost = count(LAYOUTS["tiny"], 64)
    print(f"tiny, float32, one core: {images / fast:.2f} images/s, released loop {images / slow:.2f}")
    print(f"  {slow / fast:.2f} times; by operations {cost.released_image() / cost.image():.2f}")


def on_gpu(batch: int, precision: Precision, compiled: bool, rounds: int) -> None:
    """Time full size: ours in reduced precision, the released loop in float32 with batches of 10."""
    cost = count(FULL, 512)
    torch.backends.cudnn.benchmark = True
    print(torch.cuda.get_device_name(), f"torch {torch.__version__}")
    fast = ours_on_gpu(batch, precision, compiled, rounds)
    torch.cuda.empty_cache()
    slow = released_on_gpu()
    print(f"ours, batch {batch}: {1 / fast:.3f} images/s, {cost.image() / fast / 1e12:.0f} TFLOP/s")
    print(f"released loop, float32, batch {RELEASED_BATCH}: {1 / slow:.3f} images/s, ", end="")
    print(f"{cost.released_image() / slow / 1e12:.0f} TFLOP/s")
    print(f"ours is {slow / fast:.1f} times as fast")


def ours_on_gpu(batch: int, precision: Precision, compiled: bool, rounds: int) -> float:
    """Return seconds per image, and print the share of the GPU's rate that the U-Net alone reaches."""
    peak = matmul_tflops(Execution(precision=precision).dtype)
    print(f"{precision} matrix product: {peak:.0f} TFLOP/s")
    with torch.device("cuda"):
        networks = skeletons(FULL)
    card, settings = card_of("full", 512, compiled), DiffusionArguments()
    with tempfile.TemporaryDirectory() as folder:
        write_tokenizer(Path(folder) / settings.clip, FULL.text["vocab_size"], settings.prompts)
        model = ControlledDiffusion(card, Path(folder), Execution("cuda", precision, batch), networks)
    request = requested(batch, 512, FULL, model.prompts.all_prompts()[2:])
    taken = seconds(lambda: model.generate(**vars(request)), rounds) / batch
    print(f"peak memory {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB")
    with torch.inference_mode():
        text = model._texts([model.prompts.negative]).expand(2 * batch, -1, -1)
        latents = starting_noise(range(2 * batch), 4, 64).to("cuda", model.running.dtype)
        at = torch.full((2 * batch,), 500, device="cuda")
        alone = seconds(lambda: model._unet(latents, at, text, return_dict=False), 5 * rounds)
    rate = count(FULL, 512).unet * 2 * batch / alone / 1e12
    print(f"U-Net alone, batch {2 * batch}: {rate:.0f} TFLOP/s, {rate / peak:.0%} of the matrix product")
    return taken


def released_on_gpu() -> float:
    """Return seconds per image of the released loop; its prompts are encoded beforehand, in its favour."""
    with torch.device("cuda"), torch.inference_mode():
        networks = skeletons(FULL)
        text = torch.randn(1, CONTEXT, FULL.unet["cross_attention_dim"])
    request = requested(RELEASED_BATCH, 512, FULL, ["prompt"])

    def encoded(prompts: Sequence[str]) -> Tensor:
        return text.expand(len(prompts), -1, -1)

    with torch.inference_mode():
        return seconds(lambda: released(networks, encoded, "", request, "cuda"), 1) / RELEASED_BATCH


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpu", action="store_true", help="time full size; needs a CUDA device")
    parser.add_argument("--batch", type=int, default=16, help="images a call on the GPU")
    parser.add_argument("--precision", choices=sorted(get_args(Precision)), default="bfloat16")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    table()
    if chosen.gpu:
        on_gpu(chosen.batch, chosen.precision, chosen.compile, chosen.rounds)
    else:
        on_cpu(chosen.rounds)


if __name__ == "__main__":
    main()
