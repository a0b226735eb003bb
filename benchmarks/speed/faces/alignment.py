"""Measure batched alignment in torch against a loop of OpenCV, on the same faces in one run.

`uv run python -m benchmarks.speed.faces.alignment --device cuda` prints both speeds, their ratio, and the difference of
the crops. One thread each, as in a worker, and the median of alternating rounds. `align` uses torch where it is at
least 5 times as fast, which is on GPUs: there its time includes the transfer of the pictures to the device and back.
"""

import argparse
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch

from synfiqa.actors.imaging.alignment import ARCFACE_TEMPLATE, align, similarity_transform, warp_batch

BAR = 5.0
SIDES = (128, 224, 512)
"""Sides of the source pictures: embedded renders, the released crop stage, raw samples."""


def faces(count: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return smooth random pictures uint8 (N, side, side, 3), and landmarks (N, 5, 2) that fill most of each."""
    random = np.random.default_rng(side)
    coarse = random.integers(0, 256, (count, side // 8, side // 8, 3)).astype(np.uint8)
    images = np.stack([cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC) for image in coarse])
    landmarks = (ARCFACE_TEMPLATE - 56) * (side / 150) + side / 2 + random.normal(0, side / 60, (count, 5, 2))
    return images, landmarks


def seconds(work: Callable[[], np.ndarray]) -> float:
    """Measure the seconds of one call; its result lies on the CPU, so that all work has finished."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Measure every size, and print whether torch reaches the bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", default="cpu", help="device of torch; OpenCV runs on the CPU")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    device = torch.device(options.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else options.device
    print(f"batch {options.batch}, OpenCV {cv2.__version__} on one core, torch {torch.__version__} on {name}")
    print(f"{'side':>5} {'OpenCV':>10} {'torch':>10} {'ratio':>6}  mean difference")
    ratios = []
    for side in SIDES:
        images, landmarks = faces(options.batch, side)

        def loop(images: np.ndarray = images, landmarks: np.ndarray = landmarks) -> np.ndarray:
            return align(images, landmarks)

        def batched(images: np.ndarray = images, landmarks: np.ndarray = landmarks) -> np.ndarray:
            pixels = torch.from_numpy(images).to(device)
            return warp_batch(pixels, similarity_transform(landmarks)).cpu().numpy()

        apart = np.abs(loop().astype(int) - batched()).mean()
        rounds = [(seconds(loop), seconds(batched)) for _ in range(options.rounds)]
        opencv, torch_time = np.median(rounds, axis=0)
        ratios.append(float(np.median([one / other for one, other in rounds])))
        pace = f"{options.batch / opencv:>8,.0f}/s {options.batch / torch_time:>8,.0f}/s"
        print(f"{side:>5} {pace} {ratios[-1]:>6.2f}  {apart:.4f} grey levels", flush=True)
    print(f"torch is at least {BAR:g} times as fast: {'yes' if min(ratios) >= BAR else 'no, OpenCV is used here'}")


if __name__ == "__main__":
    main()
