"""The picture of every factor of the camera: one photograph at six strengths of each, as the aligned crop.

Where a factor changes the whole picture (cut, second face, size of the head, turn), a strip above shows that: the
rendered frame, or for a cut what is left around the face.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from benchmarks.quality.camera_ladders.rungs import Ladders, Rung, rungs_of, steps_of
from benchmarks.quality.camera_ladders.strips import SIDE, Strip, sheet, shrunk
from synfiqa.actors.degradation.camera.photograph import REACH, eye_distance, photographed
from synfiqa.actors.face3d import HeadRenderer
from synfiqa.actors.roles import Detector
from synfiqa.schemas.factors.camera_rows import CAMERA_FACTORS
from synfiqa.schemas.factors.factor import Factor, Ladder

WHOLE = ("shot.distortion", "shot.cut", "shot.second_face", "shot.head", "shot.turn")
"""Factors of which the whole picture is shown too."""
LADDERS: Ladders = tuple((row, ladder) for row in CAMERA_FACTORS for ladder in row.ladders)


def camera_sheet(seed: int, detector: Detector, people: Sequence[int] = (6, 3)) -> np.ndarray:
    """Return a strip for each ladder of the camera, two for those of `WHOLE`; the people take turns."""
    renderer = HeadRenderer()
    shown = [rungs_of(seed, number, renderer, detector, references=0, ladders=LADDERS) for number in people]
    strips = []
    for place, (row, ladder) in enumerate(LADDERS):
        person = shown[place % len(shown)]
        rungs = [person.clean, *(person.steps[step] for step in steps_of(LADDERS, place))]
        levels = [f"{level:g}" for level in ladder.levels]
        if row.field in WHOLE:
            strips.append(Strip(title(ladder), "the whole picture", [whole(rung, row) for rung in rungs], levels))
        texts = [text if rung.detected else f"{text}, not detected" for text, rung in zip(levels, rungs, strict=True)]
        strips.append(Strip(title(ladder), row.unit, [rung.face for rung in rungs], texts))
    return sheet(strips)


def title(ladder: Ladder) -> str:
    """Return a ladder's name as a title."""
    return ladder.name[0].upper() + ladder.name[1:]


def whole(rung: Rung, row: Factor) -> np.ndarray:
    """Return the rendered frame of a rung, or where the camera cuts it the photograph in its place, white around."""
    if row.where == "render":
        return shrunk(rung.portrait)
    taken = photographed(rung.portrait, rung.landmarks, rung.recipe)
    scale = SIDE / (2 * REACH) / eye_distance(taken.landmarks)
    size = [max(1, round(side * scale)) for side in taken.image.shape[1::-1]]
    small = Image.fromarray(taken.image).resize((size[0], size[1]), Image.Resampling.BOX)
    corner = np.rint(SIDE / 2 - (taken.landmarks.mean(axis=0) + 0.5) * scale).astype(int)
    page = Image.new("RGB", (SIDE, SIDE), "white")
    page.paste(small, (int(corner[0]), int(corner[1])))
    return np.asarray(page)
