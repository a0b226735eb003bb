"""Measure cost and speed of the unconditional generator, against bare loops over the same network in one run.

`uv run python -m benchmarks.speed.networks.adm` counts operations and compares the player with a bare loop on a tiny
network, which shows the cost of seeds, batches and pixels beside the network. With `--gpu`, the published network
(random weights) runs in bfloat16 by the player, and as released: float32, batch 24, not compiled. The variants
alternate.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from synfiqa.actors.generation.unconditional.adm import AdmIdentityGenerator
from synfiqa.actors.generation.unconditional.diffusion_chain import Reversal, kept_steps, linear_betas, respaced
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import build_network, load_network
from synfiqa.actors.model_store.rehearsal import write_rehearsal
from synfiqa.schemas.model_card import ModelCard

PUBLISHED_GFLOP = 387.9
RELEASED_BATCH = 24
BAR, GPU_BAR, RATE_BAR = 0.95, 8.0, 0.45
"""Least ratio to the bare loop; to the released loop on a GPU; least share of the matmul rate of the network."""
TINY = {"image_size": 32, "base": 32, "multipliers": [1, 2, 2], "attention_at": [16], "head_channels": 32, "steps": 20}
STEPS = 100


def card(arguments: dict, size: int) -> ModelCard:
    """Return a card of random weights for these arguments."""
    return ModelCard(
        name="adm-benchmark",
        role="identity_generator",
        architecture="adm-unet",
        arguments=arguments,
        source="random:1",
        input_size=size,
        channels="rgb",
        value_range=(-1.0, 1.0),
        output=f"uint8 RGB ({size}, {size}, 3)",
        licence="Apache-2.0",
        commercial_use=True,
    )


def gflop(of: ModelCard) -> float:
    """Return the billions of operations of one forward pass for one image, counted without computing."""
    with torch.device("meta"):
        network = build_network(of).eval()
    shape = (1, 3, of.input_size, of.input_size)
    with FlopCounterMode(display=False) as counter:
        network(torch.empty(shape, device="meta"), torch.empty(1, dtype=torch.long, device="meta"))
    return counter.get_total_flops() / 1e9


def bare(network: nn.Module, count: int, batch: int, size: int, steps: int, device: str) -> np.ndarray:
    """Sample as the released script does: one batch after another, torch's noise, coefficients looked up each step."""
    kept = kept_steps(1000, steps)
    rows = Reversal.of(respaced(linear_betas(), kept))
    columns = (rows.start_x, rows.start_noise, rows.mean_start, rows.mean_x, rows.log_lower, rows.log_upper)
    made = []
    for _ in range(0, count, batch):
        with torch.no_grad():
            x = torch.randn(batch, 3, size, size, device=device)
            for index in reversed(range(steps)):
                t = torch.full((batch,), index, device=device)
                output = network(x, torch.from_numpy(kept).to(device)[t])
                predicted, share = output.split(3, dim=1)
                a, b, c, d, low, high = (_looked_up(column, t) for column in columns)
                mean = c * (a * x - b * predicted).clamp(-1, 1) + d * x
                fraction = (share + 1) / 2
                deviation = torch.exp(0.5 * (fraction * high + (1 - fraction) * low))
                x = mean + (index > 0) * deviation * torch.randn_like(x)
        pixels = ((x.clamp(-1, 1) + 1) * 127.5 + 0.5).clamp(0, 255).byte()
        made.append(pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy())
    return np.concatenate(made)[:count]


def _looked_up(column: np.ndarray, t: Tensor) -> Tensor:
    return torch.from_numpy(column).to(t.device)[t].float()[:, None, None, None]


def best(ways: dict[str, Callable[[], object]], rounds: int, device: str) -> dict[str, float]:
    """Return the seconds of each variant in its best round; variants alternate, the first round being warm-up."""
    seconds = dict.fromkeys(ways, float("inf"))
    for number in range(rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if device != "cpu":
                torch.cuda.synchronize()
            if number:
                seconds[name] = min(seconds[name], time.perf_counter() - start)
    return seconds


def tiny_loop(folder: Path, count: int, batch: int, rounds: int) -> None:
    """Print the speed of the player and of a bare loop on a tiny network, one thread each."""
    torch.set_num_threads(1)
    small = card(TINY, TINY["image_size"])
    weights = write_rehearsal(small, folder, seed=1)
    player = AdmIdentityGenerator(small, weights, Execution(micro_batch=batch))
    network = load_network(small, weights)
    ways = {
        "player": lambda: player.generate(range(count)),
        "bare": lambda: bare(network, count, batch, small.input_size, TINY["steps"], "cpu"),
    }
    seconds = best(ways, rounds, "cpu")
    ratio = seconds["bare"] / seconds["player"]
    print(f"tiny network ({gflop(small):.3f} GFLOP, {TINY['steps']} steps, batch {batch}), images/s:")
    print(f"  player {count / seconds['player']:8.2f}   bare loop {count / seconds['bare']:8.2f}")
    print(f"  player / bare {ratio:.3f}  {'met' if ratio >= BAR else 'MISSED'} (bar {BAR})")


def matmul_rate(device: str, side: int = 8192, repeats: int = 30) -> float:
    """Measure the TFLOP/s of a bfloat16 product of square matrices."""
    left, right = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    ways = {"matmul": lambda: [left @ right for _ in range(repeats)]}
    return 2 * side**3 * repeats / best(ways, 3, device)["matmul"] / 1e12


def busy_share(work: Callable[[], object], device: str) -> float:
    """Measure the share of the time of `work` in which the GPU ran kernels, copies included."""
    activities = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        start = time.perf_counter()
        work()
        torch.cuda.synchronize(device)
        wall = time.perf_counter() - start
    return sum(event.self_device_time_total for event in profile.key_averages()) / 1e6 / wall


def on_gpu(folder: Path, batch: int, rounds: int, compiled: bool, device: str = "cuda") -> None:
    """Print images/s and TFLOP/s of the published network and of the released loop, and the busy share of the GPU."""
    full = card({"steps": STEPS, "compile": compiled}, 256)
    weights = write_rehearsal(full, folder, seed=1)
    tflop = gflop(full) * STEPS / 1e3
    start = time.perf_counter()
    player = AdmIdentityGenerator(full, weights, Execution(device, "bfloat16", batch))
    player.generate(range(batch))
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}; first batch {time.perf_counter() - start:.0f} s")
    network = load_network(full, weights).to(device)
    x = torch.randn(batch, 3, 256, 256, device=device).contiguous(memory_format=torch.channels_last)
    t = torch.full((batch,), 500, device=device)

    def forward() -> None:
        with torch.inference_mode():
            for _ in range(10):
                player.network(x, t)

    ways = {
        "player": lambda: player.generate(range(2 * batch)),
        "network": forward,
        "released": lambda: bare(network, RELEASED_BATCH, RELEASED_BATCH, 256, STEPS, device),
    }
    seconds = best(ways, rounds, device)
    peak = matmul_rate(device)
    pace, released = 2 * batch / seconds["player"], RELEASED_BATCH / seconds["released"]
    rate = 10 * batch * gflop(full) / 1e3 / seconds["network"]
    how = "compiled" if compiled else "not compiled"
    print(f"player, bfloat16, batch {batch}, {how}: {pace:.3f} images/s, {pace * tflop:.1f} TFLOP/s")
    print(f"released loop, float32, batch {RELEASED_BATCH}: {released:.3f} images/s, {released * tflop:.1f} TFLOP/s")
    print(
        f"player / released {pace / released:.2f}  {'met' if pace >= GPU_BAR * released else 'MISSED'} (bar {GPU_BAR})"
    )
    met = "met" if rate >= RATE_BAR * peak else "MISSED"
    print(f"network alone {rate:.1f} of {peak:.1f} TFLOP/s of matmul: {rate / peak:.3f}  {met} (bar {RATE_BAR})")
    print(
        f"GPU busy {busy_share(ways['player'], device):.3f}; memory {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB"
    )


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpu", action="store_true", help="measure the published network; needs a CUDA device")
    parser.add_argument("--not-compiled", action="store_true", help="measure the player without torch.compile")
    parser.add_argument("--batch", type=int, default=0, help="images a call; 0: 8 on a CPU, 48 on a GPU")
    parser.add_argument("--images", type=int, default=16, help="images a round of the tiny loop")
    parser.add_argument("--rounds", type=int, default=0, help="0: 7 on a CPU, 2 on a GPU")
    chosen = parser.parse_args()
    if chosen.gpu and not torch.cuda.is_available():
        raise SystemExit("no CUDA device here: leave --gpu out")
    cost = gflop(card({}, 256))
    print(f"published network: {cost:.1f} GFLOP an image and step, {PUBLISHED_GFLOP} published; {cost / 10:.1f} TFLOP")
    with tempfile.TemporaryDirectory() as folder:
        if chosen.gpu:
            on_gpu(Path(folder), chosen.batch or 48, chosen.rounds or 2, not chosen.not_compiled)
        else:
            tiny_loop(Path(folder), chosen.images, chosen.batch or 8, chosen.rounds or 7)


if __name__ == "__main__":
    main()
