"""Components that a recipe determines follow the functions of ISO/IEC 29794-5; unknown ones have no value."""

import numpy as np
import pyarrow as pa

from synfiqa.fiqa_train.ofiq.commanded_components import commanded
from synfiqa.schemas.rows import REGIONS, SAMPLES


def samples(*rows):
    plain = {"yaw": 0.0, "measured_yaw": None, "pitch": 0.0, "misalignment": 0.0, "occluded_fraction": 0.0}
    free = {"occluded_regions": dict.fromkeys(REGIONS, 0.0)}
    return pa.Table.from_pylist([dict.fromkeys(SAMPLES.names) | plain | free | row for row in rows], schema=SAMPLES)


def scalars_of(**row):
    return {name: values[0] for name, values in commanded(samples(row))[1].items()}


def test_angles_are_squared_cosines():
    found = scalars_of(yaw=60, pitch=-45, misalignment=30)
    assert (found["HeadPoseYaw"], found["HeadPosePitch"], found["HeadPoseRoll"]) == (25, 50, 75)
    assert scalars_of(yaw=100)["HeadPoseYaw"] == 0, "beyond the profile the cosine is negative"
    assert scalars_of(yaw=60, measured_yaw=0)["HeadPoseYaw"] == 100, "the measured angle counts"


def test_hidden_shares():
    regions = dict.fromkeys(REGIONS, 0.0) | {"left_eye": 1.0, "right_eye": 0.5, "mouth": 0.2}
    found = scalars_of(occluded_fraction=0.1, occluded_regions=regions)
    assert found["EyesVisible"] == 25
    assert found["MouthOcclusionPrevention"] == 80
    assert found["FaceOcclusionPrevention"] == 90


def test_what_is_turned_away_or_unknown_has_no_value():
    found = scalars_of(
        occluded_regions=dict.fromkeys(REGIONS, 0.0) | {"left_eye": None, "mouth": None, "right_eye": 0.4}
    )
    assert found["EyesVisible"] == 60, "the eye that is seen"
    assert np.isnan(found["MouthOcclusionPrevention"])
    diffusion = scalars_of(occluded_regions=None)
    assert np.isnan([diffusion[name] for name in ("EyesVisible", "FaceOcclusionPrevention")]).all()
    assert diffusion["HeadPoseYaw"] == 100
