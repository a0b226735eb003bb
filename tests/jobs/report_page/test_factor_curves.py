"""Labels against a factor: the median line is that of the samples which have the factor, however few they are."""

import re

import numpy as np
import pandas as pd
import pytest

from synfiqa.jobs.report_page.data import drawn_columns
from synfiqa.jobs.report_page.drawing.factor_drawings import LINE_FROM, binned_quartiles
from synfiqa.jobs.report_page.factors import factor_plots, score_plots
from synfiqa.schemas.factors import FACTORS

TITLES = {row.column: row.title for row in FACTORS}
RARE = {"motion": (0.0, 20.0), "misalignment": (0.0, 40.0), "light_cast": (0.0, 0.9), "noise": (0.0, 50.0)}
INK = "var(--ink)"


def samples(column: str, neutral: float, top: float, having: int, count: int = 1000) -> pd.DataFrame:
    """Return samples of which `having` have the factor: their labels fall with it, all others have 0.5."""
    random = np.random.default_rng(1)
    values, quality = np.full(count, neutral), np.full(count, 0.5)
    values[:having] = np.linspace(neutral + 0.1 * (top - neutral), top, having)
    quality[:having] = 1 - np.abs(values[:having] - neutral) / abs(top - neutral)
    order = random.permutation(count)
    return pd.DataFrame({column: values[order], "quality": quality[order]})


def median_line(svg: str) -> list[tuple[float, float]]:
    """Return the points of the black line of a drawing, in its own units; y grows downwards."""
    paths = [
        found for found in re.findall(r"<path[^>]*/?>", svg) if f"stroke: {INK}" in found and "fill: none" in found
    ]
    assert len(paths) <= 1
    return [(float(x), float(y)) for x, y in re.findall(r"[ML] ?([\d.]+) ([\d.]+)", paths[0])] if paths else []


@pytest.mark.parametrize("column", RARE)
def test_a_factor_that_most_samples_lack_has_a_line_all_the_same(column):
    """Bins were filled over all samples: where 94 % had no shake, no misalignment or no coloured light, every bin had
    its median at 0, and the line was a single point at the edge."""
    neutral, top = RARE[column]
    (plot,) = factor_plots(samples(column, neutral, top, having=60), {column})
    line = median_line(str(plot.svg))
    assert plot.title == TITLES[column]
    assert len(line) >= 4
    assert [x for x, _ in line] == sorted(x for x, _ in line)
    assert line[-1][1] > line[0][1] + 40, "labels fall with the factor, so the line does"
    assert plot.remark == "ρ = −1.00"
    assert plot.below == "94 % of 1,000 samples are at the neutral value 0."


def test_too_few_samples_have_points_and_no_line():
    (plot,) = factor_plots(samples("motion", 0.0, 20.0, having=LINE_FROM - 1), {"motion"})
    assert median_line(str(plot.svg)) == []
    assert plot.below == "97 % of 1,000 samples are at the neutral value 0; 29 others are too few for a line."


def test_a_value_that_most_samples_share_is_set_aside_like_the_neutral_one():
    """Files of quality 75 are the rule of the release: the line of the coarse ones began in the middle of them."""
    frame = samples("jpeg_quality", 75, 5, having=100)
    (plot,) = factor_plots(frame, {"jpeg_quality"})
    assert plot.below == "90 % of 1,000 samples are at the usual value 75."
    assert len(median_line(str(plot.svg))) >= 4


def test_a_factor_without_neutral_samples_has_no_such_sentence():
    values = np.linspace(1, 60, 200)
    (plot,) = factor_plots(pd.DataFrame({"measured_yaw": values, "quality": 1 - values / 60}), {"measured_yaw"})
    assert plot.below == ""
    assert len(median_line(str(plot.svg))) == 8


def test_gaze_is_drawn_by_its_angle():
    random = np.random.default_rng(0)
    yaw, pitch = random.normal(0, 9, (2, 300))
    frame = pd.DataFrame({"gaze_yaw": yaw, "gaze_pitch": pitch, "quality": 1 - np.hypot(yaw, pitch) / 50})
    (plot,) = factor_plots(frame, {"gaze"})
    assert (plot.title, plot.remark) == ("Gaze", "ρ = −1.00")


def test_quartiles_of_equal_bins_are_those_of_the_labels_in_them():
    factor = np.repeat([1.0, 2.0, 3.0], 40)
    quality = np.tile(np.linspace(0, 1, 40), 3) / factor
    found = binned_quartiles(factor, quality)
    assert found.centres == [1.0, 2.0, 3.0]
    np.testing.assert_allclose(found.median, [0.5, 0.25, 0.5 / 3])
    np.testing.assert_allclose(found.first, [0.25, 0.125, 0.25 / 3])
    np.testing.assert_allclose(found.third, [0.75, 0.375, 0.25])


def test_every_row_of_the_table_names_columns_to_draw():
    assert all(drawn_columns(row) for row in FACTORS)


def test_scores_stored_with_the_samples_are_drawn_with_their_correlation_to_the_label():
    quality = np.linspace(0, 1, 20)
    frame = pd.DataFrame({"quality": quality, "score_norm": quality**2, "score_froq": -quality, "blur": quality})
    plots = score_plots(frame)
    assert [(plot.title, plot.remark) for plot in plots] == [("norm", "ρ = 1.00"), ("froq", "ρ = −1.00")]
    assert all("<svg" in plot.svg for plot in plots)
    assert score_plots(frame[["quality", "blur"]]) == []
