"""Measure `synfiqa score` against a plain loop over the detector of `generate`, on the same pictures in one run.

`python -m benchmarks.speed.score` prints CPU time of both by kind of picture, their ratio, the faces that both find
and how far their landmarks are apart. The pictures are the astronaut of scikit-image, and rendered heads of 40 to 500
pixels on textured canvases of a megapixel, all as JPEG. The loop decodes, finds the largest face with `MtcnnDetector`,
aligns and scores. "Same smallest face" searches as the loop does, for faces of 20 pixels of 640; "default" is the
default of the command. One thread each, and the smallest of alternating rounds a picture, against other load.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from skimage.data import astronaut

from synfiqa.actors.degradation.recipe_sampler import candidate_recipe
from synfiqa.actors.face3d import HeadRenderer, sample_identity
from synfiqa.actors.face_analysis.mtcnn import MtcnnDetector
from synfiqa.actors.imaging.alignment import align
from synfiqa.actors.imaging.codec import decode, encode_jpeg
from synfiqa.actors.imaging.photo_decoding import decode_photo
from synfiqa.fiqa_train.scoring.photographs import FaceFinder, SearchOptions, new_finder, rows_of
from synfiqa.fiqa_train.scoring.reading import ReadPhoto
from synfiqa.fiqa_train.scoring.sources import open_scorer
from synfiqa.schemas.model_card import BUNDLED_QUALITY

BARS = {"same smallest face": 2.5, "default": 3.0}
"""Least ratio of the CPU time of the loop to that of each search."""
FARTHEST = 0.5
"""Pixels by which landmarks may differ, in the picture as it is searched (640 pixels on its long side)."""
WIDTH, HEIGHT = 1200, 900


@dataclass(frozen=True)
class Found:
    """Landmarks (5, 2) of the face scored, or None, and its score."""

    landmarks: np.ndarray | None
    score: float


def pictures(count: int) -> list[bytes]:
    """Return the astronaut, and so many canvases with a rendered head, as JPEG."""
    random, renderer = np.random.default_rng(0), HeadRenderer()
    found = [encode_jpeg(astronaut(), 92)]
    for seed in range(count):
        coarse = random.integers(60, 200, (HEIGHT // 30, WIDTH // 30, 3)).astype(np.uint8)
        canvas = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        side = int(np.exp(random.uniform(np.log(120), np.log(800))))
        head = renderer.render(sample_identity(seed), [candidate_recipe(seed)], side).images[0]
        x, y = int(random.integers(0, WIDTH - side + 1)), int(random.integers(0, HEIGHT - side + 1))
        canvas[y : y + side, x : x + side] = head
        found.append(encode_jpeg(canvas, 92))
    return found


def plain_loop() -> Callable[[bytes], Found]:
    """Return what `synfiqa score` did with one picture before it had a search of its own."""
    detector, scorer = MtcnnDetector(), open_scorer(BUNDLED_QUALITY)

    def score(data: bytes) -> Found:
        image = decode(data)
        (face,) = detector.detect([image])
        if face is None:
            return Found(None, np.nan)
        return Found(face.landmarks, float(scorer.score(align([image], face.landmarks[None], antialias=True))[0]))

    return score


def searched(options: SearchOptions) -> Callable[[bytes], Found]:
    """Return what `synfiqa score` does with one picture, without its threads."""
    finder: FaceFinder = new_finder(options)
    scorer = open_scorer(BUNDLED_QUALITY)

    def score(data: bytes) -> Found:
        photo = decode_photo(data, "picture")
        ((row, crop),) = rows_of(ReadPhoto("picture", photo.pixels, photo.size), finder, options)
        if crop is None:
            return Found(None, np.nan)
        return Found(row.landmarks, float(scorer.score(crop[None])[0]))

    return score


def least_seconds(
    ways: dict[str, Callable[[bytes], Found]], data: bytes, rounds: int
) -> tuple[dict[str, float], dict[str, Found]]:
    """Return the least CPU seconds of each way with one picture, over alternating rounds, and what each finds."""
    seconds = dict.fromkeys(ways, np.inf)
    found: dict[str, Found] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.process_time()
            found[name] = way(data)
            seconds[name] = min(seconds[name], time.process_time() - start)
    return seconds, found


def main() -> int:
    """Print the table; exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, default=199, help="canvases beside the astronaut")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    loop = "plain loop"
    ways = {
        loop: plain_loop(),
        "every face": searched(SearchOptions(search_size=640, which="central")),
        "same smallest face": searched(SearchOptions(search_size=640)),
        "default": searched(SearchOptions()),
    }
    shown = pictures(options.pictures)
    least_seconds(ways, shown[0], 1)
    results = [least_seconds(ways, data, options.rounds) for data in shown]
    total = {name: sum(seconds[name] for seconds, _ in results) for name in ways}
    print(f"{len(shown)} pictures, the least of {options.rounds} rounds, one thread")
    print(f"{loop:<20} {total[loop] / len(shown) * 1e3:7.1f} CPU-ms a picture")
    failed = False
    for name, bar in BARS.items():
        ratio = total[loop] / total[name]
        both = [(found[loop], found[name]) for _, found in results]
        off = [
            float(np.abs(one.landmarks - other.landmarks).max()) * 640 / WIDTH
            for one, other in both
            if one.landmarks is not None and other.landmarks is not None
        ]
        apart = sum((one.landmarks is None) != (other.landmarks is None) for one, other in both)
        met = ratio >= bar and apart <= len(shown) / 200 and max(off, default=0) <= FARTHEST
        failed |= not met
        print(
            f"{name:<20} {total[name] / len(shown) * 1e3:7.1f} CPU-ms a picture, {ratio:.2f} x (bar {bar} x), "
            f"{len(off)} faces of both, {apart} of one alone, landmarks {np.mean(off):.3f} px apart, at most "
            f"{max(off, default=0):.3f} (bar {FARTHEST}): {'met' if met else 'MISSED'}"
        )
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
