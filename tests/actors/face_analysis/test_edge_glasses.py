"""The published edge heuristic: its windows, what counts as an edge, and its accuracy on rendered heads."""

import cv2
import numpy as np
import pytest
from scipy import ndimage
from skimage.data import astronaut
from skimage.filters import threshold_otsu

from synfiqa.actors.face_analysis.edge_glasses import (
    BRIDGE,
    CHEEKS,
    EYES,
    SIZE,
    EdgeGlasses,
    edge_measure,
    measure,
    score_of,
)
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard
from tests.actors.face_analysis.test_line_glasses import rendered_heads

LANDMARKS = np.array([[205.0, 101.7], [246.8, 103.7], [224.7, 129.0], [201.7, 139.2], [245.3, 141.9]])
UPRIGHT = np.concatenate([EYES, [[128, 180], [80, 220], [176, 220]]])


def card(**arguments):
    return ModelCard(
        name="edge-glasses",
        role="glasses",
        architecture="scharr-glasses",
        arguments=arguments,
        source="built-in",
        input_size=256,
        channels="rgb",
        value_range=None,
        output="score",
        licence="Apache-2.0",
        commercial_use=True,
    )


def face(*stripes):
    """A dark face with bright horizontal stripes, each (row, first column, last column)."""
    image = np.full((SIZE, SIZE, 3), 60, np.uint8)
    for row, first, last in stripes:
        image[row : row + 8, first:last] = 220
    return image


def one(image, landmarks=UPRIGHT):
    return measure([image], landmarks[None])[0]


@pytest.fixture(scope="module")
def heads():
    return tuple(
        measure([image for image, _ in faces], np.stack([points for _, points in faces])) for faces in rendered_heads()
    )


def test_separates_rendered_heads_with_glasses_from_those_without(heads):
    bare, worn = heads
    assert (worn[:, None] > bare[None]).mean() > 0.85  # area under the ROC curve


def test_the_published_threshold_is_strict_towards_glasses_and_misses_many(heads):
    bare, worn = heads
    assert (bare > 0.15).mean() <= 0.1
    assert (worn > 0.15).mean() >= 0.25


def test_a_plain_face_has_no_edges():
    assert one(face()) == 0


def test_frames_at_bridge_and_lower_rims_count():
    rims = face((180, 32, 96), (180, 160, 224))
    bridge = face((128, 109, 145))
    assert one(rims) > 0.15
    # The cheeks weigh 0.7 on 64 x 64 pixels each, the bridge 0.3 on 64 x 36.
    assert one(rims) / one(bridge) == pytest.approx(0.7 / 0.3, rel=0.1)
    assert one(face((128, 109, 145), (180, 32, 96), (180, 160, 224))) == pytest.approx(
        one(rims) + one(bridge), rel=0.05
    )


@pytest.mark.parametrize(
    "elsewhere",
    [(20, 0, 256), (128, 20, 90), (128, 166, 240), (230, 0, 256), (190, 112, 144)],
    ids=["forehead", "left eye", "right eye", "chin", "below the nose"],
)
def test_stripes_elsewhere_do_not(elsewhere):
    assert one(face(elsewhere)) == 0


def test_only_horizontal_edges_count():
    upright = np.full((SIZE, SIZE, 3), 60, np.uint8)
    upright[:, 60:64] = upright[:, 126:130] = upright[:, 190:194] = 220
    assert one(upright) == 0


def test_agrees_with_the_same_steps_of_scipy_and_scikit_image():
    photo = cv2.resize(astronaut()[40:200, 130:330], (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(float)
    # An 11-tap Gaussian's automatic width is 0.3 * (11 / 2 - 1.5) + 0.8.
    smooth = np.rint(ndimage.gaussian_filter(grey, 2.0, radius=5, mode="mirror"))
    scharr = ndimage.correlate(smooth, np.array([[-3, -10, -3], [0, 0, 0], [3, 10, 3]]), mode="mirror")
    strength = np.minimum(np.abs(scharr), 255).astype(np.uint8)
    edges = strength > threshold_otsu(strength)
    cheeks = np.mean([edges[where].mean() for where in CHEEKS])
    assert edge_measure(photo) == pytest.approx(0.3 * edges[BRIDGE].mean() + 0.7 * cheeks, abs=0.01)


@pytest.mark.parametrize("angle", [-35, 20])
def test_tilted_and_scaled_faces_measure_the_same(angle):
    image = cv2.resize(face((180, 32, 96), (180, 160, 224), (128, 109, 145)), (384, 384))
    matrix = cv2.getRotationMatrix2D((192, 192), angle, 0.7)
    turned = cv2.warpAffine(image, matrix, (500, 400), borderMode=cv2.BORDER_REPLICATE)
    landmarks = (UPRIGHT * 1.5) @ matrix[:, :2].T + matrix[:, 2]
    assert one(turned, landmarks) == pytest.approx(one(image, UPRIGHT * 1.5), abs=0.04)


def test_the_score_is_a_half_exactly_at_the_threshold():
    steps = np.array([0.0, 0.15 - 1e-4, 0.15, 0.15 + 1e-4, 1.0])
    scores = score_of(steps)
    assert scores.dtype == np.float32
    assert scores[2] == 0.5
    assert scores[1] < 0.5 < scores[3]
    assert (scores[0], scores[-1]) == (0, 1)


def test_a_threshold_of_its_own():
    images, landmarks = [astronaut(), face((180, 32, 96))], np.stack([LANDMARKS, UPRIGHT])
    measures = measure(images, landmarks)
    for threshold in (0.05, 0.15, 0.4):
        scores = EdgeGlasses(card(threshold=threshold)).score(images, landmarks, np.zeros((2, 112, 112, 3), np.uint8))
        assert ((scores > 0.5) == (measures > threshold)).all()
    assert (EdgeGlasses(card()).threshold, scores.shape) == (0.15, (2,))


@pytest.mark.parametrize("arguments", [{"threshold": 0}, {"threshold": "low"}, {"treshold": 0.2}])
def test_invalid_arguments_are_refused(arguments):
    with pytest.raises(UserError, match="it takes threshold"):
        EdgeGlasses(card(**arguments))
