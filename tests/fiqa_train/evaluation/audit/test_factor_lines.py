"""Lines of medians and rank correlations of scores with severities."""

import numpy as np
import pytest

from synfiqa.fiqa_train.evaluation.audit.factor_lines import BINS, factor_audits
from synfiqa.fiqa_train.labels.severities import FLAT_COLUMNS, severities, severity_names


def audits(quality, **columns):
    count = len(quality)
    flat = {name: np.zeros(count, np.float32) for name in FLAT_COLUMNS}
    flat |= {name: np.ones(count, np.float32) for name in ("blur", "downsample", "light_exposure")}
    flat |= {"jpeg_quality": np.full(count, 95, np.float32), "camera_distance": np.full(count, 5, np.float32)}
    flat |= {name: np.asarray(values, np.float32) for name, values in columns.items()}
    return {one.severity: one for one in factor_audits(flat, severities(flat), np.asarray(quality, float))}


def test_every_severity_of_the_table_has_a_row():
    found = audits([1, 2, 3])
    assert tuple(found) == severity_names()
    assert all(
        (one.n, one.neutral_share, one.spearman, one.spearman_all) == (3, 1, None, None) for one in found.values()
    )
    assert all(len(one.line) == 1 for one in found.values())


def test_the_neutral_images_are_a_bin_of_their_own_and_do_not_dilute_the_correlation():
    blur = np.concatenate([np.ones(50), np.linspace(1.5, 6, 40)])
    quality = np.concatenate([np.linspace(0, 1, 50), np.linspace(0.6, 0.1, 40)])
    found = audits(quality, blur=blur)["blur"]
    assert (found.factor, found.unit, found.iso) == ("blur", "level b", "sharpness")
    assert found.neutral_share == pytest.approx(50 / 90)
    assert found.spearman == -1
    assert -1 < found.spearman_all < 0
    neutral, *line = found.line
    assert (neutral.n, neutral.severity, neutral.low, neutral.high, neutral.value) == (50, 0, 0, 0, 1)
    assert [one.n for one in line] == [40 // BINS] * BINS
    assert [one.median for one in line] == sorted((one.median for one in line), reverse=True)
    assert line[0].lower <= line[0].median <= line[0].upper
    assert line[-1].value == pytest.approx(blur[-3]), "in the unit of the factor, not of its severity"
    assert line[-1].severity == pytest.approx(np.log(blur[-3]), abs=1e-5)


def test_equal_severities_stay_in_one_bin():
    blur = np.repeat([1.0, 2.0, 4.0], 30)
    line = audits(np.arange(90), blur=blur)["blur"].line
    assert [(one.n, one.low == one.high) for one in line] == [(30, True)] * 3


def test_a_signed_factor_is_drawn_by_its_absolute_value():
    found = audits(np.arange(40)[::-1], measured_yaw=np.linspace(1, 60, 40) * np.tile([1, -1], 20))["yaw"]
    assert found.spearman == -1
    assert found.line[-1].value > 50


def test_a_severity_of_two_columns_has_no_single_value():
    found = audits(np.arange(4), gaze_yaw=[0, 10, 20, 30], gaze_pitch=[0, 1, 2, 3])["gaze"]
    assert found.line[-1].value is None
    assert found.line[-1].severity > 0
