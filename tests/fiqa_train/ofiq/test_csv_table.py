"""The CSV of OFIQ's sample application is read and written with its odd separators."""

import math

import numpy as np
import pytest

from synfiqa.fiqa_train.ofiq.csv_table import HEADER, is_ofiq, ofiq_lines, read_ofiq
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.factors import FACTORS
from synfiqa.schemas.factors.ofiq_components import COMPONENTS


def row(name, scalars, time="123"):
    raw = ["0.5"] * 28
    return ";".join([name, *raw, *(str(scalars.get(one, 50)) for one in COMPONENTS), time])


def test_the_header_has_28_raw_values_28_scalars_and_a_separator_at_the_end():
    fields = HEADER.split(";")
    assert len(COMPONENTS) == len(set(COMPONENTS)) == 28
    assert (fields[0], fields[1], fields[29]) == ("Filename", "UnifiedQualityScore", "UnifiedQualityScore.scalar")
    assert fields[-3:] == ["NoHeadCoverings.scalar", "assessment_time_in_ms", ""]
    assert len(fields) == 1 + 56 + 1 + 1


def test_a_failed_component_has_no_value():
    text = "\n".join([HEADER, row("a.jpg", {"Sharpness": -1, "HeadPoseYaw": 97}), row("b.jpg", {"Sharpness": 12}), ""])
    table = read_ofiq("x.csv", text)
    assert table.names == ["a.jpg", "b.jpg"]
    assert math.isnan(table.scalars["Sharpness"][0])
    assert table.scalars["Sharpness"][1] == 12
    assert table.scalars["HeadPoseYaw"].tolist() == [97, 50]
    assert len(table.scalars) == 28


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (row("a.jpg", {"Sharpness": "good"}), r"line 2: Sharpness\.scalar is 'good', no number"),
        (row("a.jpg", {"Sharpness": 101}), r"line 2: Sharpness\.scalar is 101, not 0 to 100 or -1"),
        (row("a.jpg", {"Sharpness": "nan"}), r"line 2: Sharpness\.scalar is nan, not 0 to 100"),
        ("a.jpg;1;2", r"line 2: 3 fields, not 58"),
    ],
)
def test_damaged_rows_are_named(line, said):
    with pytest.raises(UserError, match=said):
        read_ofiq("x.csv", f"{HEADER}\n{line}\n")


def test_a_file_without_scalars_is_no_result_of_ofiq():
    assert is_ofiq("Filename;Sharpness;")
    assert not is_ofiq("path,score")
    with pytest.raises(UserError, match=r"x\.csv has no column such as UnifiedQualityScore\.scalar"):
        read_ofiq("x.csv", "Filename;Sharpness;\na.jpg;1\n")


def test_what_is_written_is_read():
    raw = {"HeadPoseYaw": np.array([30.0, np.nan]), "FaceOcclusionPrevention": np.array([0.25, 0.0])}
    scalars = {"HeadPoseYaw": np.array([75.0, np.nan]), "FaceOcclusionPrevention": np.array([75.0, 100.0])}
    lines = list(ofiq_lines(["a.jpg", "b.jpg"], raw, scalars))
    table = read_ofiq("x.csv", "\n".join([HEADER, *lines]))
    for name, values in scalars.items():
        np.testing.assert_array_equal(table.scalars[name], values)
    assert np.isnan(table.scalars["Sharpness"]).all()
    fields = dict(zip(HEADER.split(";"), lines[0].split(";"), strict=False))
    assert (fields["HeadPoseYaw"], fields["FaceOcclusionPrevention"]) == ("30", "0.250000")
    assert (fields["Sharpness"], fields["Sharpness.scalar"]) == ("-1", "-1")


def test_severities_name_components_that_there_are():
    named = {component for row in FACTORS for severity in row.severities for component in severity.ofiq}
    assert {"HeadPoseYaw", "Sharpness", "CompressionArtifacts", "EyesVisible", "EyesOpen"} <= named
    assert named <= set(COMPONENTS)
