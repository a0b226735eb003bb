"""Measure `synfiqa score` against a plain loop over the detector of `generate`, on the same pictures in one run.

`python -m benchmarks.speed.score` prints CPU time of both by kind of picture, their ratio, the faces that both find
and how far their landmarks are apart. The pictures are the astronaut of scikit-image, and rendered heads of 160 to 800
pixels on textured canvases of a megapixel, all as JPEG. The loop decodes, finds the largest face with `MtcnnDetector`,
aligns and scores. "Every face of 20 px" searches at 640 pixels for all that the loop finds; "default" finds the same
largest face, but searches for the smallest only where there is no larger one. One thread each, and the least of
alternating rounds a batch, against other load.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import batched

import cv2
import numpy as np
import torch
from skimage.data import astronaut

from synfiqa.actors.degradation.recipe_sampler import candidate_recipe
from synfiqa.actors.face3d import HeadRenderer, sample_identity
from synfiqa.actors.face_analysis.mtcnn import MtcnnDetector
from synfiqa.actors.face_analysis.photo_search.search import SEARCH_SIZE, PhotoSearch
from synfiqa.actors.imaging.alignment import align_smoothly
from synfiqa.actors.imaging.codec import decode, encode_jpeg
from synfiqa.fiqa_train.scoring.photo_list import Photo
from synfiqa.fiqa_train.scoring.photographs import score_photos
from synfiqa.fiqa_train.scoring.sources import open_scorer
from synfiqa.schemas.model_card import BUNDLED_QUALITY

BARS = {"every face of 20 px": 2.5, "default": 3.0}
"""Least ratio of the CPU time of the loop to that of each search."""
FARTHEST = 0.5
"""Pixels by which landmarks may differ, in the picture as it is searched (640 pixels on its long side)."""
WIDTH, HEIGHT = 1200, 900


LOOP = "plain loop"
BATCH = 8

Found = tuple[np.ndarray, float] | None
"""Landmarks (5, 2) and score of the face, or None where there is none."""
Way = Callable[[Sequence[bytes]], list[Found]]


def pictures(count: int) -> list[bytes]:
    """Return the astronaut, and so many canvases with a rendered head, as JPEG."""
    random, renderer = np.random.default_rng(0), HeadRenderer()
    found = [encode_jpeg(astronaut(), 92)]
    for seed in range(count):
        coarse = random.integers(60, 200, (HEIGHT // 30, WIDTH // 30, 3)).astype(np.uint8)
        canvas = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        side = int(np.exp(random.uniform(np.log(160), np.log(800))))
        head = renderer.render(sample_identity(seed), [candidate_recipe(seed)], side).images[0]
        x, y = int(random.integers(0, WIDTH - side + 1)), int(random.integers(0, HEIGHT - side + 1))
        canvas[y : y + side, x : x + side] = head
        found.append(encode_jpeg(canvas, 92))
    return found


def plain_loop() -> Way:
    """Return what `synfiqa score` did with a batch of pictures before it had a search of its own."""
    detector, scorer = MtcnnDetector(), open_scorer(BUNDLED_QUALITY)

    def score(batch: Sequence[bytes]) -> list[Found]:
        images = [decode(data) for data in batch]
        faces = detector.detect(images)
        crops = [
            align_smoothly(image, face.landmarks) for image, face in zip(images, faces, strict=True) if face is not None
        ]
        scores = iter(scorer.score(np.stack(crops))) if crops else iter(())
        return [None if face is None else (face.landmarks, float(next(scores))) for face in faces]

    return score


def searched(finder: PhotoSearch) -> Way:
    """Return what `synfiqa score` does with a batch of pictures, by that search for faces."""
    scorers = {BUNDLED_QUALITY: open_scorer(BUNDLED_QUALITY)}

    def score(batch: Sequence[bytes]) -> list[Found]:
        photos = [Photo("picture", partial(bytes, data)) for data in batch]
        return [
            None if row.landmarks is None or row.score is None else (row.landmarks, row.score)
            for row in score_photos(photos, scorers, finder=finder)
        ]

    return score


def least_seconds(
    ways: dict[str, Way], batch: Sequence[bytes], rounds: int
) -> tuple[dict[str, float], dict[str, list[Found]]]:
    """Return the least CPU seconds of each way with one batch, over alternating rounds, and what each finds."""
    seconds = dict.fromkeys(ways, np.inf)
    found: dict[str, list[Found]] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.process_time()
            found[name] = way(batch)
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
    ways = {
        LOOP: plain_loop(),
        "every face of 20 px": searched(PhotoSearch(size=SEARCH_SIZE, thorough=True)),
        "default": searched(PhotoSearch()),
    }
    shown = pictures(options.pictures)
    least_seconds(ways, shown[:1], 1)
    results = [least_seconds(ways, batch, options.rounds) for batch in batched(shown, BATCH)]
    total = {name: sum(seconds[name] for seconds, _ in results) for name in ways}
    print(f"{len(shown)} pictures in batches of {BATCH}, the least of {options.rounds} rounds, one thread")
    print(f"{LOOP:<20} {total[LOOP] / len(shown) * 1e3:7.1f} CPU-ms a picture")
    failed = False
    for name, bar in BARS.items():
        pairs = [pair for _, found in results for pair in zip(found[LOOP], found[name], strict=True)]
        off = [float(np.abs(one[0] - other[0]).max()) * SEARCH_SIZE / WIDTH for one, other in pairs if one and other]
        apart = sum((one is None) != (other is None) for one, other in pairs)
        ratio = total[LOOP] / total[name]
        met = ratio >= bar and apart <= max(1, len(shown) / 200) and max(off, default=0) <= FARTHEST
        failed |= not met
        print(
            f"{name:<20} {total[name] / len(shown) * 1e3:7.1f} CPU-ms a picture, {ratio:.2f} x (bar {bar} x), "
            f"{len(off)} faces of both, {apart} of one alone, landmarks {np.mean(off):.3f} px apart, at most "
            f"{max(off, default=0):.3f} (bar {FARTHEST}): {'met' if met else 'MISSED'}"
        )
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
