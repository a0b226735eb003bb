"""Intervals of figures on photographs: people are drawn, and differences of two scorers are paired."""

import numpy as np
import pytest

from benchmarks.quality.photographs.faces import Faces, likeness
from benchmarks.quality.photographs.kept import kept
from benchmarks.quality.photographs.real_ladders import Ladders
from benchmarks.quality.photographs.resampling import Figure, correlation_draws, drawn_people
from benchmarks.quality.photographs.wanted import (
    Rows,
    correlation_rows,
    ladder_rows,
    median_table,
    pauc_rows,
    table,
)
from synfiqa.fiqa_train.evaluation.compare import Protocol, compare
from synfiqa.fiqa_train.evaluation.pairs import enumerate_pairs

PEOPLE = np.repeat(["ann", "bob", "cyd", "dan"], 6)


def test_people_are_drawn_whole_and_the_first_draw_has_all_of_them():
    first, *draws = drawn_people(PEOPLE, 20, 0)
    assert np.array_equal(first[0], np.arange(len(PEOPLE)))
    for rows, numbers in draws:
        assert len(rows) == len(PEOPLE)
        for number in np.unique(numbers):
            assert sorted(rows[numbers == number] % 6) == list(range(6)), "one drawn twice is two people"
    assert np.array_equal(drawn_people(PEOPLE, 20, 0)[5][0], draws[4][0])


def test_an_interval_holds_the_middle_of_the_draws_and_is_left_out_without_any():
    figure = Figure.of(np.array([0.5, *np.linspace(0, 1, 101)]))
    assert (figure.value, figure.low, figure.high) == pytest.approx((0.5, 0.025, 0.975))
    assert figure.shown() == "0.500 [0.025, 0.975]"
    assert Figure.of(np.array([0.5])).shown(2, sign=True) == "+0.50"


def test_a_noisy_correlation_has_a_wide_interval():
    rng = np.random.default_rng(0)
    other = rng.normal(size=len(PEOPLE))
    noisy = {"scorer": other + rng.normal(0, 1, len(PEOPLE))}
    wide = Figure.of(correlation_draws(noisy, other, PEOPLE, 200, 0)["scorer"])
    narrow = Figure.of(correlation_draws({"scorer": other}, other, PEOPLE, 200, 0)["scorer"])
    assert wide.high - wide.low > 0.1
    assert (narrow.low, narrow.high) == pytest.approx((1, 1))


def test_differences_are_paired():
    other = np.random.default_rng(1).normal(size=len(PEOPLE))
    qualities = {"ours": other + 0.3 * np.sin(np.arange(len(PEOPLE))), "twin": other + 0.3 * np.sin(np.arange(24))}
    rows = correlation_rows("rho", qualities, other, PEOPLE, "twin", 50, 0)
    assert rows.differences["rho"]["ours"].shown() == "0.000 [0.000, 0.000]"
    assert "| rho |" in table(rows, ["ours", "twin"], "twin")
    assert table(rows, ["ours"], "").count("|") == 9, "no column of differences without a reference"


def test_ladders_have_intervals_over_their_faces():
    faces, faults = 5, ["", "noise", "noise", "JPEG", "JPEG"]
    similarity = np.tile([0.9, 0.5, 0.1, 0.8, 0.4], faces) + np.repeat(np.arange(faces) * 0.01, 5)
    rungs = faces * 5
    ladders = Ladders(
        np.zeros((rungs, 1, 1, 3), np.uint8),
        np.repeat(np.arange(faces), 5),
        np.array(faults * faces),
        np.tile([0, 0.5, 1, 0.5, 1], faces),
        similarity,
        0,
    )
    blind = np.where(ladders.fault == "noise", 0.92, similarity)
    rows = ladder_rows(ladders, {"ours": similarity, "blind": blind}, "blind", 30, 0)
    perfect = rows.figures["pooled rho"]["ours"]
    assert (perfect.value, perfect.low, perfect.high) == pytest.approx((1, 1, 1))
    assert rows.differences["pooled rho"]["ours"].low > 0
    assert rows.figures["drop by noise, sd"]["blind"].value < 1 < rows.figures["drop by noise, sd"]["ours"].value


def test_paucs_become_rows_and_their_medians_a_table():
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(12), 5)
    pairs = enumerate_pairs(people, 5000, 0)
    similarity = np.where(pairs.genuine, rng.normal(0.6, 0.2, len(pairs.genuine)), rng.normal(0, 0.2, len(pairs.first)))
    qualities = {"ours": rng.random(len(people)), "theirs": rng.random(len(people))}
    results = compare(qualities, similarity, pairs, people, Protocol([0.01], 0.3, 20, 0), [("ours", "theirs")])
    rows = pauc_rows("natural", results)
    (row,) = rows.figures
    assert row == "pAUC, natural, FMR 0.01"
    found = rows.figures[row]
    assert rows.differences[row]["ours"].value == pytest.approx(found["ours"].value - found["theirs"].value)
    moved = Rows({row: {name: Figure(one.value + 0.2, 0, 1) for name, one in found.items()}}, rows.differences)
    middle = median_table([rows, moved, moved], ["ours"], "theirs").splitlines()[-1]
    assert f"{found['ours'].value + 0.2:.3f} ({found['ours'].value:.3f} to" in middle
    # The detector's probability is measured on sets, not on ladders.
    assert median_table([rows, moved], ["detector", "ours"], "").splitlines()[-1].startswith(f"| {row} |  | ")


def test_a_face_is_compared_with_the_persons_other_clean_photographs():
    vectors = np.array([[1.0, 0], [0, 1], [1, 0.2], [0, -1]])
    person, photograph = np.array(["a", "a", "b", "b"]), np.array(["a1", "a2", "b1", "b2"])
    clean = Faces(np.zeros((4, 1)), person, photograph, np.ones(4), 0)
    found = likeness(vectors, clean, vectors, clean)
    centre = vectors.mean(axis=0)
    units = (vectors - centre) / np.linalg.norm(vectors - centre, axis=1, keepdims=True)
    np.testing.assert_allclose(
        found, [units[0] @ units[1], units[1] @ units[0], units[2] @ units[3], units[3] @ units[2]]
    )
    alone = Faces(np.zeros((1, 1)), np.array(["c"]), np.array(["c1"]), np.ones(1), 0)
    assert np.isnan(likeness(vectors[:1], alone, vectors, clean)).all()


def test_what_is_kept_is_read_again_and_equal(tmp_path):
    faces = Faces(np.zeros((2, 2, 2, 3), np.uint8), np.array(["a", "b"]), np.array(["a1", "b1"]), np.ones(2), 3)
    assert kept(tmp_path / "new", "natural 0", Faces, lambda: faces) is faces
    again = kept(tmp_path / "new", "natural 0", Faces, lambda: pytest.fail("made again"))
    assert again.without_face == 3
    assert np.array_equal(again.person, faces.person)
    assert kept(tmp_path / "new", "natural 1", Faces, lambda: faces) is faces
    assert kept(None, "natural 0", Faces, lambda: faces) is faces
