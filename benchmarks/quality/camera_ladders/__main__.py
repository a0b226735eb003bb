"""Label photographs along the ladders of the camera's faults by a real recogniser, and judge the labels.

`python -m benchmarks.quality.camera_ladders` renders 16 varied people with four references, a photograph without faults
and five levels of each ladder, labels them by centred cosines of `dlib` (extra `[dlib]`; the teacher), and prints a
table beside the true accept rates at FMR 1e-3 of the teacher and of `bundled-b`, which has seen no fault of a camera.
It says which faults break the rule: where the judge accepts below a tenth of what it accepts without faults, a label
keeps less than half. `--out` also writes the picture of the ladders with their labels. About seven CPU-minutes.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.quality.camera_ladders.camera_sheet import title
from benchmarks.quality.camera_ladders.label_table import label_table, verdict
from benchmarks.quality.camera_ladders.likeness import Likeness, likeness
from benchmarks.quality.camera_ladders.photographed_people import Faces, faces_of_people
from benchmarks.quality.camera_ladders.rule import LadderFigures
from benchmarks.quality.camera_ladders.strips import Strip, sheet
from benchmarks.quality.face_sheets import CAMERA_BYTES, jpeg
from synfiqa.actors.face_analysis.mtcnn import MtcnnDetector
from synfiqa.schemas.factors.photograph_ladders import PHOTOGRAPH_LADDERS


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table and its verdict, and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=16)
    parser.add_argument("--references", type=int, default=4)
    parser.add_argument("--teacher", default="dlib", help="embedder whose centred cosines are the labels")
    parser.add_argument("--judges", nargs="*", default=["bundled-b"], help="further embedders that judge")
    parser.add_argument("--out", type=Path, help="JPEG of all ladders with their labels")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    faces = faces_of_people(options.seed, range(options.people), MtcnnDetector(), options.references)
    names = list(dict.fromkeys([options.teacher, *options.judges]))
    judged = {name: likeness(faces.vectors(name), options.references) for name in names}
    ladders = figures_of(faces, judged, options.teacher)
    for name, one in judged.items():
        clean = ladders[0].accepted[name][0]
        print(
            f"{name}: TAR without faults {clean:.3f} above a cosine of {one.threshold:.3f}, by {one.strangers:,} pairs "
            f"of strangers, those beyond it of {one.carriers} pairs of people"
        )
    print(f"label without faults: {ladders[0].labels[0]:.3f}\n\n{label_table(ladders, options.teacher)}\n")
    print(verdict(ladders, names))
    if options.out:
        options.out.write_bytes(jpeg(labelled_sheet(faces, judged[options.teacher].labels), CAMERA_BYTES))


def figures_of(faces: Faces, judged: dict[str, Likeness], teacher: str) -> list[LadderFigures]:
    """Return the figures of each ladder, means over people."""
    found = []
    for number, (_, ladder) in enumerate(PHOTOGRAPH_LADDERS):
        places = faces.places(number)
        accepted = {name: one.accepted[:, places].mean(axis=0).tolist() for name, one in judged.items()}
        labels, seen = judged[teacher].labels[:, places].mean(axis=0), faces.detected[:, places].mean(axis=0)
        found.append(LadderFigures(ladder.name, ladder.levels, labels.tolist(), seen.tolist(), accepted))
    return found


def labelled_sheet(faces: Faces, labels: np.ndarray) -> np.ndarray:
    """Return a strip for each ladder, level and label (P, F) below each face; people take turns."""
    strips = []
    for number, (row, ladder) in enumerate(PHOTOGRAPH_LADDERS):
        person, places = number % len(labels), faces.places(number)
        own = labels[person, places]
        texts = [f"{level:g}: label {label:.2f}" for level, label in zip(ladder.levels, own, strict=True)]
        unit = "coverage" if row.field == "occluder" else row.unit
        strips.append(Strip(title(ladder), unit, list(faces.images[person, places]), texts))
    return sheet(strips)


if __name__ == "__main__":
    main()
