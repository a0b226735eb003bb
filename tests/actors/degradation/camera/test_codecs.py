from typing import get_args

import numpy as np
import pytest
from PIL import features
from skimage import data

from synfiqa.actors.degradation.camera.image_processor import (
    denoised,
    rounded,
    sharpened,
    with_contrast,
    with_gamma,
)
from synfiqa.actors.degradation.camera.lossy_codecs import coded, require_avif
from synfiqa.actors.degradation.camera.sensor import resampled
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.recipe import Codec

FACE = np.ascontiguousarray(data.astronaut()[50:190, 150:300])
CODECS = get_args(Codec)


def error(codec: str, quality: int) -> float:
    return float(np.abs(coded(FACE, codec, quality).astype(float) - FACE).mean())


@pytest.mark.parametrize("codec", CODECS)
def test_a_codec_loses_more_at_a_lower_quality_and_keeps_size_and_colours(codec):
    assert error(codec, 5) > 1.5 * error(codec, 40) > 1.5 * error(codec, 95)
    fine = coded(FACE, codec, 95)
    assert fine.shape == FACE.shape
    assert fine.dtype == np.uint8
    assert fine.mean(axis=(0, 1)) == pytest.approx(FACE.mean(axis=(0, 1)), abs=2)
    assert np.array_equal(fine, coded(FACE, codec, 95))


@pytest.mark.parametrize("codec", CODECS)
def test_the_smallest_pictures_can_be_coded(codec):
    assert coded(FACE[:9, :11], codec, 2).shape == (9, 11, 3)


def test_a_quality_out_of_range_is_refused():
    with pytest.raises(ValueError, match="quality"):
        coded(FACE, "jpeg", 0)


def test_avif_is_refused_where_pillow_writes_none(monkeypatch):
    require_avif()
    monkeypatch.setattr(features, "check", lambda name: False)
    with pytest.raises(UserError, match=r"this Pillow writes none: install .* or set the fourth weight to 0"):
        require_avif()


def test_gamma_and_contrast_keep_black_white_and_the_middle():
    levels = np.array([[[0, 127.5, 255]]], np.float32)
    assert with_gamma(levels, 2.5)[0, 0] == pytest.approx([0, 255 * 0.5**2.5, 255], abs=0.01)
    assert with_contrast(levels, 0.2)[0, 0] == pytest.approx([102, 127.5, 153])


def test_denoising_smooths_noise_and_keeps_edges_while_sharpening_raises_them():
    rng = np.random.default_rng(0)
    step = np.full((60, 60, 3), 60, np.float32)
    step[:, 30:] = 190
    noisy = (step + rng.normal(0, 5, step.shape)).astype(np.float32)
    smooth = denoised(noisy, 20)
    assert smooth[:, 5:25].std() < 0.5 * noisy[:, 5:25].std()
    assert smooth[:, 33].mean() - smooth[:, 26].mean() > 120
    assert np.ptp(sharpened(step, 1.0)) > 150
    assert sharpened(step, 0) is step
    assert denoised(step, 0) is step


def test_an_enlarged_picture_states_its_scale():
    large, scales = resampled(rounded(FACE.astype(np.float32)), 1.7)
    assert scales == pytest.approx([large.shape[1] / 150, large.shape[0] / 140])
