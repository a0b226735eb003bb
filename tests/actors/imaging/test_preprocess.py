"""Two arithmetics of resizing: float32, and Pillow's of the published preprocessings."""

import numpy as np
import pytest
from PIL import Image

from synfiqa.actors.imaging.preprocess import network_input
from synfiqa.schemas.model_card import ModelCard


def card(**changes):
    fields = {
        "name": "n",
        "role": "pose",
        "architecture": "6drepnet360",
        "source": "random:0",
        "input_size": 96,
        "channels": "rgb",
        "value_range": (0, 255),
        "output": "angles",
        "licence": "MIT",
        "commercial_use": True,
    }
    return ModelCard(**fields | changes)


# No value comes near black or white, where Pillow clips between its passes.
IMAGES = np.random.default_rng(0).integers(60, 196, (2, 200, 200, 3), dtype=np.uint8)


@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
def test_pillow_rounds_to_whole_grey_levels_and_float_does_not(method):
    by_float = network_input(IMAGES, card(resize=method)).numpy()
    by_pillow = network_input(IMAGES, card(resize=method, resized_by="pillow")).numpy()
    size = (96, 96)
    expected = [np.asarray(Image.fromarray(image).resize(size, Image.Resampling[method.upper()])) for image in IMAGES]
    np.testing.assert_array_equal(by_pillow, np.stack(expected).transpose(0, 3, 1, 2))
    difference = np.abs(by_pillow - by_float)
    assert 0.1 < difference.mean() < 0.5
    assert difference.max() < 2


def test_images_of_the_networks_own_size_are_equal():
    small = IMAGES[:, :96, :96]
    np.testing.assert_array_equal(
        network_input(small, card()).numpy(), network_input(small, card(resized_by="pillow")).numpy()
    )


def test_cards_without_it_stay_as_they_are():
    assert "resized_by" not in card().model_dump(mode="json")
    assert card(resized_by="pillow").model_dump(mode="json")["resized_by"] == "pillow"
