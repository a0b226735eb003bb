"""Order of levels of faults on photographs: Spearman's correlation of level and score, face by face.

`python -m benchmarks.quality.dsl.ladders FOLDER --model bundled-dsl` reads LFW (one folder a person; the development
half of `pairs_folder.development_half` alone), measures and keeps nothing.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from synfiqa.actors.imaging.codec import load_photo
from synfiqa.actors.quality.guard import GuardedScorer
from synfiqa.fiqa_train.datasets.pairs_folder import development_half
from synfiqa.fiqa_train.datasets.photo_files import foremost_face, new_detector
from synfiqa.fiqa_train.scoring.sources import open_scorer
from synfiqa.fiqa_train.training.dsl.degradation_draws import KINDS
from synfiqa.schemas.seeds import generator

LEVELS = 6
"""Strengths of a ladder beside the photograph as it is, evenly spaced in their logarithm."""
LADDERS = ("blur", "motion", "noise", "jpeg", "resolution")

Face = tuple[np.ndarray, np.ndarray]
"""Photograph uint8 RGB (H, W, 3), square, and its five landmarks (5, 2)."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="bundled-dsl", help="as in `synfiqa score`")
    parser.add_argument("--faces", type=int, default=24)
    options = parser.parse_args()
    faces = faces_of(options.folder, options.faces)
    scorer = open_scorer(options.model)
    found = {kind: [falls(scorer, face, kind, number) for number, face in enumerate(faces)] for kind in LADDERS}
    figures = {kind: {"median": float(np.median(own)), "worst": float(np.max(own))} for kind, own in found.items()}
    print(json.dumps({"faces": len(faces), "spearman": figures}, indent=1))


def faces_of(folder: Path, count: int) -> list[Face]:
    """Return the first face of so many people of the development half, one photograph a person."""
    detector, found = new_detector(), list[Face]()
    for person in sorted(path for path in folder.iterdir() if path.is_dir() and development_half(path.name)):
        picture = load_photo(min(person.glob("*.jpg")))
        face = foremost_face(detector.faces([picture])[0], picture.shape[:2])
        if face is not None:
            found.append((picture, np.asarray(face.landmarks)))
        if len(found) == count:
            break
    return found


def ladder(image: np.ndarray, kind: str, seed: int) -> list[np.ndarray]:
    """Return an image as it is and under rising strengths of one kind, with one pattern of noise and one direction."""
    (low, high), operator = KINDS[kind]
    strengths: Sequence[float] = np.geomspace(low, high, LEVELS).tolist()
    return [image, *(operator(image, strength, generator(seed)) for strength in strengths)]


def falls(scorer: GuardedScorer, face: Face, kind: str, seed: int) -> float:
    """Return Spearman's correlation of level and score of one face, -1 where each level lowers the score."""
    images = ladder(face[0], kind, seed)
    scores = scorer.score_faces(images, [face[1]] * len(images))
    return float(spearmanr(np.arange(len(images)), scores).statistic)


if __name__ == "__main__":
    main()
