"""Embeddings and qualities of the images of a test set, a batch at a time, and of the templates made of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from synfiqa.actors.quality.guard import GuardedScorer
from synfiqa.actors.roles import Embedder
from synfiqa.cluster.telemetry.progress import Phase
from synfiqa.fiqa_train.datasets.testset import Crops, Templates, TestSet
from synfiqa.fiqa_train.evaluation.on_test_sets.channel_order import ChannelOrder
from synfiqa.fiqa_train.evaluation.pairs import embed_flipped
from synfiqa.schemas.errors import JobFailed

CALIBRATION = 1024
"""Faces, the first of a set, to which scorers that can be calibrated adapt."""


@dataclass(frozen=True)
class SetScores:
    """Of images or templates (units,): unit vectors by judge, qualities by method, and why a unit has none.

    Where `reasons` is not empty vectors are 0 and qualities -inf.
    """

    vectors: dict[str, np.ndarray]
    quality: dict[str, np.ndarray]
    reasons: list[str]

    @property
    def present(self) -> np.ndarray:
        """Return which units (units,) show a face."""
        return np.array([not reason for reason in self.reasons], bool)


def scores_of(test_set: TestSet, judges: Mapping[str, Embedder], scorers: Mapping[str, GuardedScorer]) -> SetScores:
    """Return vectors and qualities of all images in the order of their ids.

    UserError for swapped channels and for scorers that return no number for an image; JobFailed without any face.
    """
    count = len(test_set.ids)
    vectors: dict[str, np.ndarray] = {}
    quality = {name: np.full(count, -np.inf) for name in scorers}
    reasons: list[str] = []
    channels = ChannelOrder(test_set.name)
    phase = Phase(f"evaluate {test_set.name}", count, "images")
    for crops in _calibrating(test_set, scorers):
        here = np.array([not reason for reason in crops.reasons], bool)
        faces, rows = crops.images[here], len(reasons) + np.flatnonzero(here)
        reasons += crops.reasons
        if len(reasons) > count:
            break
        if len(faces):
            channels.look(faces)
            for name, judge in judges.items():
                own = embed_flipped(judge, faces)
                if name not in vectors:  # no list of batches: the vectors of IJB-C are 2 GB
                    vectors[name] = np.zeros((count, own.shape[1]), np.float32)
                vectors[name][rows] = own
            for name, scorer in scorers.items():
                quality[name][rows] = _qualities(scorer, crops, here)
        phase.advance(len(here))
    phase.close()
    if len(reasons) != count:
        raise JobFailed(f"--on {test_set.name}: {len(reasons)} images were read, not {count}: it changes; try again")
    if all(reasons):
        raise JobFailed(f"--on {test_set.name}: no image shows a face ({reasons[0]} in {test_set.ids[0]})")
    # Runs of this project are RGB whatever their faces look like.
    if test_set.manifest is None:
        channels.require_rgb()
    return SetScores(vectors, quality, reasons)


def _qualities(scorer: GuardedScorer, crops: Crops, here: np.ndarray) -> np.ndarray:
    """Return the qualities of the faces among crops, by their photographs for a scorer of portraits."""
    if not (scorer.takes_portraits and crops.photographs):
        return scorer.score(crops.images[here])
    rows = np.flatnonzero(here)
    landmarks = [points for row in rows if (points := crops.landmarks[row]) is not None]
    return scorer.score_faces([crops.photographs[row] for row in rows], landmarks)


def pooled(scores: SetScores, templates: Templates) -> SetScores:
    """Return the scores of templates from those of their images.

    A vector is the mean over the images of each media, summed over media and normalised; a quality is the lowest of
    the images. Images without a face are left out, and a template without any other has a reason.
    """
    present = scores.present[templates.image]
    image, template, media = (rows[present] for rows in (templates.image, templates.template, templates.media))
    count = len(templates.names)
    groups, of_row = np.unique(np.stack([template, media]), axis=1, return_inverse=True)
    of_row = of_row.reshape(-1)
    weight = 1.0 / np.bincount(of_row)[of_row]
    vectors = {}
    for name, own in scores.vectors.items():
        shares = csr_matrix((weight.astype(own.dtype), (template, image)), shape=(count, len(own)))
        total = shares @ own
        vectors[name] = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
    quality = {}
    for name, values in scores.quality.items():
        worst = np.full(count, np.inf)
        np.minimum.at(worst, template, values[image])
        quality[name] = np.where(np.isposinf(worst), -np.inf, worst)
    held = np.bincount(groups[0], minlength=count) > 0
    return SetScores(vectors, quality, ["" if has else "no image with a face" for has in held])


def _calibrating(test_set: TestSet, scorers: Mapping[str, GuardedScorer]) -> Iterator[Crops]:
    """Yield the crops of a set, after the scorers have adapted to its first faces."""
    batches = test_set.crops()
    if not any(scorer.calibrates for scorer in scorers.values()):
        yield from batches
        return
    first: list[Crops] = []
    faces = 0
    for crops in batches:
        first.append(crops)
        faces += sum(not reason for reason in crops.reasons)
        if faces >= CALIBRATION:
            break
    if faces:
        images = np.concatenate([c.images[[not reason for reason in c.reasons]] for c in first])[:CALIBRATION]
        for scorer in scorers.values():
            scorer.calibrate(images)
    yield from first
    yield from batches
