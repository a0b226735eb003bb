"""What detections become: shares, errors over the eye distance, and how smoothly they fall."""

import numpy as np
import pytest

from benchmarks.quality.face_bars import detection
from benchmarks.quality.face_bars.detection import DetectedFace, detected


def test_missed_faces_lower_the_share_and_leave_the_error():
    found = [
        DetectedFace(0.9, np.full(5, 0.04)),
        DetectedFace(0.99, np.full(5, 0.08)),
        DetectedFace(0.0, np.full(5, np.nan)),
    ]
    share, error = detection._at_size(112, found)
    assert share.value == pytest.approx(2 / 3)
    assert error.value == pytest.approx(0.06)
    assert (share.met, error.met) == (False, True)


def test_nothing_found_has_no_error():
    share, error = detection._at_size(112, [DetectedFace(0.0, np.full(5, np.nan))])
    assert share.value == 0
    assert not error.met


def test_a_smooth_fall_meets_its_bars_and_a_cliff_does_not():
    people = np.arange(100)[:, None]
    smooth = (people < np.array([100, 100, 98, 90, 75, 60])).astype(float)
    assert all(bar.met for bar in detection._fall_off("yaw", smooth))
    cliff = (people < np.array([100, 100, 100, 100, 100, 0])).astype(float)
    assert [bar.name for bar in detection._fall_off("yaw", cliff) if not bar.met] == [
        "yaw: largest fall of the share found"
    ]
    late = (people < np.array([100, 100, 90, 99, 75, 60])).astype(float)
    unmet = {bar.name for bar in detection._fall_off("yaw", late) if not bar.met}
    assert unmet == {"yaw: largest rise of the share found", "yaw 40: share found"}


def test_a_picture_without_a_face_is_not_found():
    found = detected(np.full((112, 112, 3), 90, np.uint8), np.zeros((5, 2)))
    assert found.probability == 0
    assert np.isnan(found.error).all()
