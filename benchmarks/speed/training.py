"""Measure training steps: with the reader beside them, of IResNet-50, and of class centres by their number.

`python -m benchmarks.speed.training` prints ratios within one process on one thread, or on a GPU that is there: the
step with the reader to the same step with augmentation in memory, the step of IResNet-50 to a plain loop of PyTorch,
and a step of partial FC over 10^6 classes to one over 10^5 with as many drawn. Exit code 1 when a ratio misses its bar.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from synfiqa.actors.imaging.codec import encode_jpeg
from synfiqa.actors.nets.fiqa.table import TRAINABLE
from synfiqa.fiqa_train.training.methods.classifiability import Classifiability
from synfiqa.fiqa_train.training.methods.label_regression import LabelRegression
from synfiqa.fiqa_train.training.methods.margins import MarginClasses
from synfiqa.fiqa_train.training.methods.objective import Objective
from synfiqa.fiqa_train.training.methods.sampled_classes import SampledClasses
from synfiqa.fiqa_train.training.reading.augment import augment, draws
from synfiqa.fiqa_train.training.reading.decode import decode_face
from synfiqa.fiqa_train.training.reading.reader import TrainingReader
from synfiqa.fiqa_train.training.reading.sources.source import EncodedRows, Piece, image_fault
from synfiqa.schemas.config.train_data import AugmentSection

READER_BAR, STEP_BAR, CENTRES_BAR = 1.05, 1.10, 1.10
BATCH, CLASSES = 32, 1000
WIDTH, DRAWN = 512, 10_000
"""Values of a class centre, as published, and centres that a step of partial FC draws."""


class Noise:
    """A source of JPEG faces of smooth noise in memory."""

    name, weight = "noise", 1.0

    def __init__(self, faces: int) -> None:
        random = np.random.default_rng(0)
        coarse = random.integers(0, 256, (faces, 14, 14, 3), np.uint8)
        self.images = [encode_jpeg(np.kron(one, np.ones((8, 8, 1), np.uint8)), 90) for one in coarse]
        self.pieces = [Piece(faces, None)]
        self.identities = dict.fromkeys(range(faces), 1)

    def read(self, piece: Piece) -> EncodedRows:
        """Return all faces."""
        count = len(self.images)
        quality = np.linspace(0, 1, count, dtype=np.float32)
        return EncodedRows(self.images, quality, list(range(count)), [str(row) for row in range(count)])

    def fault(self, name: str, reason: str) -> Exception:
        """Return the error for an image that cannot be used."""
        return image_fault(self.name, name, reason)


def step_of(objective: Objective, optimiser: torch.optim.Optimizer) -> Callable[[Tensor, Tensor, Tensor], None]:
    """Return one optimiser step on pixels, labels and classes."""

    def step(pixels: Tensor, quality: Tensor, classes: Tensor) -> None:
        optimiser.zero_grad()
        objective(pixels, quality, classes)["loss"].backward()
        nn.utils.clip_grad_norm_(objective.network.parameters(), 5.0)
        optimiser.step()

    return step


def with_reader(steps: int) -> float:
    """Return seconds a step with the reader, by seconds with faces that are augmented in the step itself."""
    kind, source, section = TRAINABLE["quality-net"], Noise(BATCH * steps), AugmentSection()
    objective = LabelRegression(kind.build(widths=[32, 64, 128, 192]), kind.normalise)
    step = step_of(objective, torch.optim.AdamW(objective.parameters(), lr=1e-4))
    reader = TrainingReader(
        [source], channels="gray", batch_size=BATCH, seed=0, rank=0, world=1, augment=section, threads=1
    )
    decoded = [decode_face(data, "gray") for data in source.images]
    quality = torch.linspace(0, 1, len(decoded))
    for batch in reader.batches(0):  # reads and decodes the set
        step(batch.images, batch.quality, batch.classes)
        break

    def beside() -> None:
        for batch in reader.batches(1):
            step(batch.images, batch.quality, batch.classes)

    def inside() -> None:
        for first in range(0, len(decoded), BATCH):
            pixels = np.empty((BATCH, 112, 112), np.float32)
            for face, change, out in zip(decoded[first : first + BATCH], draws(BATCH, first), pixels, strict=True):
                augment(face, change, section, out)
            step(torch.from_numpy(pixels), quality[first : first + BATCH], torch.zeros(BATCH, dtype=torch.int64))

    ratio = best_ratio(beside, inside)
    reader.close()
    return ratio


def of_iresnet(steps: int, device: torch.device) -> float:
    """Return seconds of our step of IResNet-50 with CR-FIQA's objective, by those of a plain loop of PyTorch."""
    kind, size = TRAINABLE["iresnet50"], 8 if device.type == "cpu" else 128
    pixels = torch.rand(size, 3, 112, 112, device=device) * 255
    classes, quality = torch.arange(size, device=device) % CLASSES, torch.rand(size, device=device)
    centres = MarginClasses(512, CLASSES, 64.0, 0.5, "arcface")
    objective = Classifiability(kind.build(), kind.normalise, centres, 10.0, "published").to(device).train()
    network, plain = kind.build().to(device).train(), nn.Linear(512, CLASSES, bias=False).to(device)
    ours = step_of(objective, torch.optim.SGD(objective.parameters(), lr=1e-4, momentum=0.9))
    optimiser = torch.optim.SGD([*network.parameters(), *plain.parameters()], lr=1e-4, momentum=0.9)

    def bare() -> None:
        for _ in range(steps):
            optimiser.zero_grad()
            embeddings, scores = network.embed_and_score(pixels / 127.5 - 1)
            loss = nn.functional.cross_entropy(plain(embeddings), classes) + nn.functional.mse_loss(scores, quality)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
        _wait(device)

    def own() -> None:
        for _ in range(steps):
            ours(pixels, quality, classes)
        _wait(device)

    return best_ratio(own, bare)


def of_centres(steps: int, device: torch.device) -> float:
    """Return seconds of a step of partial FC over 10^6 classes by those over 10^5, with as many drawn."""
    large, small = (_centres(count, device, steps) for count in (1_000_000, 100_000))
    return best_ratio(large, small)


def _centres(classes: int, device: torch.device, steps: int) -> Callable[[], None]:
    centres = SampledClasses(WIDTH, classes, 64.0, 0.5, "arcface", DRAWN / classes, seed=0).to(device)
    vectors = torch.randn(64, WIDTH, device=device)
    chosen = torch.arange(64, device=device) * (classes // 64)

    def run() -> None:
        for _ in range(steps):
            centres(vectors, chosen).loss.backward()
            centres.step(0.1, 0.9, 5e-4)
        _wait(device)

    return run


def best_ratio(first: Callable[[], None], second: Callable[[], None], rounds: int = 3) -> float:
    """Return the shortest time of the first by the shortest of the second, in turns."""
    first(), second()
    times = [(_seconds(first), _seconds(second)) for _ in range(rounds)]
    return min(one for one, _ in times) / min(two for _, two in times)


def _seconds(call: Callable[[], None]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def results(steps: int) -> Iterator[tuple[str, float, float]]:
    """Yield words, ratio and bar of each measure."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    yield "step with the reader, by the same with augmentation in memory", with_reader(4 * steps), READER_BAR
    yield f"step of IResNet-50 on {device.type}, by a plain loop", of_iresnet(steps, device), STEP_BAR
    yield f"partial FC, {DRAWN} drawn of 10^6 classes, by 10^5", of_centres(steps, device), CENTRES_BAR


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    missed = False
    for words, ratio, bar in results(options.steps):
        missed |= ratio > bar
        print(f"{words}: {ratio:.3f} (bar {bar})", flush=True)
    sys.exit(int(missed))


if __name__ == "__main__":
    main()
