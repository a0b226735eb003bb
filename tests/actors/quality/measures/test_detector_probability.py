"""Detector probability on aligned crops: high on a face, lower under blur, 0 where no face is found."""

import cv2
import numpy as np
from skimage.data import astronaut

from synfiqa.actors.face_analysis.mtcnn import MtcnnDetector
from synfiqa.actors.imaging.alignment import align_smoothly
from synfiqa.actors.quality.factories import ScorerSettings, scorers_of


def crop():
    (face,) = MtcnnDetector().detect([astronaut()])
    return align_smoothly(astronaut(), face.landmarks)


def test_the_probability_falls_with_blur_and_is_0_without_a_face():
    scorer = scorers_of(["detector"], ScorerSettings(), {}, "--model")["detector"]
    face = crop()
    sharp, soft, empty = scorer.score(np.stack([face, cv2.GaussianBlur(face, (0, 0), 6), np.full_like(face, 90)]))
    assert sharp > 0.999
    assert 0.9 < soft < sharp - 0.01
    assert empty == 0
