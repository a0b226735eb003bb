"""Tracks: the faces of one person stay together through moves, gaps and cuts, and two persons apart."""

import numpy as np

from synfiqa.fiqa_train.scoring.photographs import Score
from synfiqa.fiqa_train.scoring.video.tracks import Shot, Tracker

ANNA, BOB = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
SAME = 0.5


def shot(time, x=0.0, score=0.5):
    return Shot(time, Score("clip", 0, 1, {"one": score}, box=(x, 0.0, x + 100, 100.0)))


def test_two_persons_are_two_tracks_whatever_their_order_in_a_frame():
    tracker = Tracker(SAME)
    tracker.add([shot(0.0), shot(0.0, 300)], np.stack([ANNA, BOB]))
    tracker.add([shot(0.2, 310), shot(0.2, 10)], np.stack([BOB, ANNA]))
    assert [[one.found.box[0] for one in track.shots] for track in tracker.tracks] == [[0.0, 10.0], [300.0, 310.0]]


def test_a_person_who_comes_back_elsewhere_is_recognised():
    tracker = Tracker(SAME)
    tracker.add([shot(0.0)], ANNA[None])
    tracker.add([shot(9.0, 400)], ANNA[None])
    assert len(tracker.tracks) == 1


def test_a_turned_head_that_recognition_loses_is_followed_by_its_box():
    turned = np.array([0.3, 0.0, np.sqrt(1 - 0.09)])
    tracker = Tracker(SAME)
    tracker.add([shot(0.0)], ANNA[None])
    tracker.add([shot(0.2, 5)], turned[None])
    assert len(tracker.tracks) == 1
    tracker.add([shot(5.0, 5)], np.array([[0.0, 0.3, -np.sqrt(1 - 0.09)]]))
    assert len(tracker.tracks) == 2, "a box of five seconds ago proves nothing"


def test_another_person_at_the_same_place_after_a_cut_is_another_track():
    tracker = Tracker(SAME)
    tracker.add([shot(0.0)], ANNA[None])
    tracker.add([shot(0.2)], BOB[None])
    assert len(tracker.tracks) == 2


def test_one_frame_gives_a_person_one_face():
    tracker = Tracker(SAME)
    tracker.add([shot(0.0), shot(0.0, 300)], np.stack([ANNA, ANNA]))
    tracker.add([shot(0.2), shot(0.2, 300)], np.stack([ANNA, ANNA]))
    assert [len(track.shots) for track in tracker.tracks] == [2, 2]


def test_the_best_shots_are_moments_apart():
    tracker = Tracker(SAME)
    for number, score in enumerate([0.1, 0.7, 0.9, 0.8, 0.2, 0.6]):
        tracker.add([shot(number * 0.2, score=score)], ANNA[None])
    (track,) = tracker.tracks
    assert [(one.time, one.found.score) for one in track.best(2)] == [(0.4, 0.9), (1.0, 0.6)]
    assert len(track.best(9)) == 2
