"""Embeddings and qualities of the images of a test set, a batch at a time, and of the templates made of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

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
    vectors: dict[str, list[np.ndarray]] = {name: [] for name in judges}
    quality: dict[str, list[np.ndarray]] = {name: [] for name in scorers}
    reasons: list[str] = []
    channels = ChannelOrder(test_set.name)
    phase = Phase(f"evaluate {test_set.name}", len(test_set.ids), "images")
    for crops in _calibrating(test_set, scorers):
        here = np.array([not reason for reason in crops.reasons], bool)
        faces = crops.images[here]
        reasons += crops.reasons
        if len(faces):
            channels.look(faces)
            for name, judge in judges.items():
                vectors[name].append(embed_flipped(judge, faces))
            for name, scorer in scorers.items():
                quality[name].append(scorer.score(faces))
        phase.advance(len(here))
    phase.close()
    if len(reasons) != len(test_set.ids):
        raise JobFailed(f"--on {test_set.name}: {len(reasons)} of {len(test_set.ids)} images were read; read it again")
    present = np.array([not reason for reason in reasons], bool)
    if not present.any():
        raise JobFailed(f"--on {test_set.name}: no image shows a face ({reasons[0]} in {test_set.ids[0]})")
    # Runs of this project are RGB whatever their faces look like.
    if test_set.manifest is None:
        channels.require_rgb()
    return SetScores(
        {name: _spread(np.concatenate(parts), present, 0.0) for name, parts in vectors.items()},
        {name: _spread(np.concatenate(parts), present, -np.inf) for name, parts in quality.items()},
        reasons,
    )


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
        total = np.zeros((count, own.shape[1]), np.float64)
        np.add.at(total, template, own[image] * weight[:, None])
        length = np.linalg.norm(total, axis=1, keepdims=True)
        vectors[name] = (total / np.maximum(length, 1e-12)).astype(np.float32)
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


def _spread(values: np.ndarray, present: np.ndarray, other: float) -> np.ndarray:
    """Return values (faces, ...) at the places that are present (units,), and `other` elsewhere."""
    found = np.full((len(present), *values.shape[1:]), other, values.dtype)
    found[present] = values
    return found
