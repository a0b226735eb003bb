"""Scores from files of other tools as qualities of the images of a test set."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from synfiqa.fiqa_train.datasets.scores.image_names import ImageNames
from synfiqa.fiqa_train.datasets.testset import ALIGNED, TestSet
from synfiqa.fiqa_train.evaluation.external_scores import MatchedScores, ScoreFile, matched
from synfiqa.fiqa_train.evaluation.on_test_sets.set_scores import SetScores


def matched_to(test_set: TestSet, files: Sequence[ScoreFile]) -> list[MatchedScores]:
    """Return the scores of the files that cover a set for its images.

    UserError for a set of aligned crops, all of which need a score, when one has none.
    """
    own = [file for file in files if file.covers(test_set.name)]
    names = ImageNames(test_set.ids) if own else None
    found = [matched(file, names) for file in own if names]
    if test_set.crops_from == ALIGNED:
        for one in found:
            one.require(test_set.ids, np.ones(len(test_set.ids), bool), f"images of {test_set.name}")
    return found


def with_external(scores: SetScores, test_set: TestSet, external: Sequence[MatchedScores]) -> SetScores:
    """Return the scores of a set with those of files; UserError when an image with a face has none in one of them."""
    quality = dict(scores.quality)
    for one in external:
        one.require(test_set.ids, scores.present, f"images with a face of {test_set.name}")
        quality[one.file.name] = np.where(scores.present, one.scores, -np.inf)
    return replace(scores, quality=quality)
