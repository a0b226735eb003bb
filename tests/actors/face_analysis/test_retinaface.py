from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from synfiqa.actors.face_analysis import retinaface
from synfiqa.actors.face_analysis.retinaface import RetinaFaceDetector, anchors, decode_boxes, decode_landmarks
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.actors.nets.retinaface_r50 import RetinaFaceR50
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

FIVE = np.array([[0.3, 0.35], [0.7, 0.35], [0.5, 0.55], [0.35, 0.75], [0.65, 0.75]])


def card(**changes):
    fields = {
        "name": "retinaface",
        "role": "detector",
        "architecture": "retinaface-r50",
        "source": "random:0",
        "input_size": 250,
        "channels": "rgb",
        "value_range": None,
        "normalise": "imagenet",
        "output": "a face",
        "licence": "MIT",
        "commercial_use": True,
    }
    return ModelCard(**fields | changes)


def encode(boxes, landmarks, cells):
    # As in training: offsets in tenths of the anchor, logarithms of the size in fifths.
    centre, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    side = cells[:, 2:]
    encoded = np.concatenate([(centre - cells[:, :2]) / (0.1 * side), np.log(size / side) / 0.2], axis=1)
    return encoded, ((landmarks - cells[:, None, :2]) / (0.1 * side[:, None])).reshape(-1, 10)


class Stub(nn.Module):
    """Returns the network's outputs for faces (probability, box) with edges at integers, one anchor each."""

    def __init__(self, faces):
        super().__init__()
        self.faces = faces
        self.seen = []

    def faces_in(self, picture):
        return self.faces

    def forward(self, pixels):
        self.seen.append(pixels)
        cells = anchors(*pixels.shape[2:])
        boxes, landmarks = np.zeros((len(pixels), len(cells), 4)), np.zeros((len(pixels), len(cells), 10))
        logits = np.tile([8.0, -8.0], (len(pixels), len(cells), 1))
        for row, picture in enumerate(pixels):
            taken = set()
            for probability, box in self.faces_in(picture):
                box = np.array(box, float)
                distance = np.abs(cells - [*(box[:2] + box[2:]) / 2, box[2] - box[0]]).sum(axis=1)
                cell = next(index for index in np.argsort(distance, kind="stable") if index not in taken)
                taken.add(cell)
                points = box[:2] + FIVE * (box[2:] - box[:2])
                boxes[row, [cell]], landmarks[row, [cell]] = encode(box[None], points[None], cells[[cell]])
                logits[row, cell] = [0, np.log(probability / (1 - probability))]
        return tuple(torch.from_numpy(values).float() for values in (boxes, logits, landmarks))


class WhiteRectangle(Stub):
    """Detects the white rectangle of each image, whose edges lie around its pixels."""

    def faces_in(self, picture):
        rows, columns = (picture[0] > 2).nonzero(as_tuple=True)
        if len(rows) == 0:
            return []
        return [(0.9, [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1])]


@pytest.fixture
def detector(monkeypatch):
    def build(network, running=Execution(micro_batch=2), **changes):  # noqa: B008
        monkeypatch.setattr(retinaface, "load_network", lambda card, path: network)
        return RetinaFaceDetector(card(**changes), Path(), running)

    return build


def one(detector, faces, shape=(128, 160), **arguments):
    (face,) = detector(Stub(faces), arguments=arguments).detect([np.zeros((*shape, 3), np.uint8)])
    return face


class TestAnchors:
    def test_lie_in_the_middle_of_cells_two_per_cell_level_by_level(self):
        cells = anchors(20, 10)
        assert len(cells) == 2 * (3 * 2 + 2 * 1 + 1 * 1)
        np.testing.assert_array_equal(cells[:5], [[4, 4, 16], [4, 4, 32], [12, 4, 16], [12, 4, 32], [4, 12, 16]])
        np.testing.assert_array_equal(cells[12:16], [[8, 8, 64], [8, 8, 128], [8, 24, 64], [8, 24, 128]])
        np.testing.assert_array_equal(cells[16:], [[16, 16, 256], [16, 16, 512]])

    def test_a_picture_of_the_released_size_has_2058(self):
        assert len(anchors(224, 224)) == 2 * (28 * 28 + 14 * 14 + 7 * 7)

    @given(st.integers(0, 2**32 - 1))
    @settings(deadline=None)
    def test_decoding_undoes_encoding(self, seed):
        random = np.random.default_rng(seed)
        cells = anchors(64, 96)[random.integers(0, 200, 20)]
        corner = random.uniform(-50, 150, (20, 2))
        boxes = np.concatenate([corner, corner + random.uniform(0.5, 300, (20, 2))], axis=1)
        landmarks = random.uniform(-50, 300, (20, 5, 2))
        encoded, points = encode(boxes, landmarks, cells)
        np.testing.assert_allclose(decode_boxes(encoded, cells), boxes, atol=1e-9)
        np.testing.assert_allclose(decode_landmarks(points, cells), landmarks, atol=1e-9)


class TestCoordinates:
    def scene(self, factor=1):
        # A white rectangle over columns 40-79 and rows 24-63.
        scene = np.zeros((120, 160, 3), np.uint8)
        scene[24:64, 40:80] = 255
        return scene.repeat(factor, axis=0).repeat(factor, axis=1)

    def test_a_face_at_a_known_place_is_found_there(self, detector):
        (face,) = detector(WhiteRectangle([])).detect([self.scene()])
        # The middle of columns 40-79 is 59.5 where pixel centres are integers; the box runs along the outer edges.
        np.testing.assert_allclose(face.box, [39.5, 23.5, 79.5, 63.5], atol=1e-4)
        np.testing.assert_allclose(face.landmarks, FIVE * 40 + (39.5, 23.5), atol=1e-4)
        assert face.box.dtype == face.landmarks.dtype == np.float64

    def test_large_pictures_are_searched_small_and_answered_in_their_own_pixels(self, detector):
        player = detector(WhiteRectangle([]), input_size=160)
        (face,) = player.detect([self.scene(5)])
        assert player._network.module.seen[0].shape == (2, 3, 120, 160)
        np.testing.assert_allclose(face.box, [199.5, 119.5, 399.5, 319.5], atol=1e-3)
        np.testing.assert_allclose(face.landmarks, FIVE * 200 + (199.5, 119.5), atol=1e-3)

    def test_released_coordinates_are_half_a_pixel_more_and_rounded(self, detector):
        face = one(detector, [(0.9, [40.123456, 24, 80, 64])], coordinates="pixel-edges", decimals=2)
        np.testing.assert_array_equal(face.box, [40.12, 24, 80, 64])
        np.testing.assert_array_equal(face.landmarks, face.landmarks.round(2))
        np.testing.assert_allclose(face.landmarks[1], [68.04, 38], atol=0.006)


class TestChoice:
    def test_the_score_is_the_probability(self, detector):
        assert one(detector, [(0.83, [40, 24, 80, 64])]).probability == pytest.approx(0.83, abs=1e-6)

    def test_of_overlapping_boxes_only_the_best_stays(self, detector):
        # The larger, worse box covers the better one, so that the choice by size must not consider it.
        faces = [(0.8, [38, 22, 82, 66]), (0.95, [40, 24, 80, 64])]
        for select in ("probability", "largest"):
            face = one(detector, faces, select=select)
            np.testing.assert_allclose(face.box, [39.5, 23.5, 79.5, 63.5], atol=1e-3)
        assert one(detector, faces, select="largest", nms=1.0).box[0] == pytest.approx(37.5, abs=1e-3)

    def test_best_or_largest_of_many_faces(self, detector):
        faces = [(0.9, [4, 4, 24, 24]), (0.99, [90, 10, 110, 30]), (0.8, [30, 60, 90, 120])]
        assert one(detector, faces).probability == pytest.approx(0.99, abs=1e-6)
        assert one(detector, faces, select="largest").probability == pytest.approx(0.8, abs=1e-6)

    def test_a_face_must_score_more_than_the_threshold(self, detector):
        faces = [(0.72, [40, 24, 80, 64])]
        assert one(detector, faces) is not None
        assert one(detector, faces, min_confidence=0.73) is None
        assert one(detector, []) is None

    def test_a_box_at_infinity_is_no_face(self, detector):
        class Broken(Stub):
            def forward(self, pixels):
                boxes, logits, landmarks = super().forward(pixels)
                boxes[:, :3] = torch.tensor([[float("inf")] * 4, [1e30] * 4, [float("nan")] * 4])
                logits[:, :3] = torch.tensor([-9.0, 9.0])
                return boxes, logits, landmarks

        (face,) = detector(Broken([(0.8, [90, 80, 130, 120])])).detect([np.zeros((128, 160, 3), np.uint8)])
        assert face.probability == pytest.approx(0.8, abs=1e-6)


class TestImages:
    @pytest.mark.parametrize("shape", [(0, 0), (0, 9), (1, 1), (7, 300), (300, 7), (4000, 9)])
    def test_too_small_images_have_no_face(self, detector, shape):
        player = detector(WhiteRectangle([]))
        assert player.detect([np.full((*shape, 3), 255, np.uint8)]) == [None]
        assert player._network.module.seen == []

    def test_mixed_sizes_and_missing_faces_keep_their_places(self, detector):
        white, black = np.zeros((90, 61, 3), np.uint8), np.zeros((33, 57, 3), np.uint8)
        white[20:52, 8:40] = 255
        found = detector(WhiteRectangle([])).detect([black, white, black[:3], white[:, ::-1], black, white])
        assert [face is not None for face in found] == [False, True, False, True, False, True]
        np.testing.assert_array_equal(found[1].box, found[5].box)
        assert found[3].box[0] == pytest.approx(61 - 40 - 0.5, abs=1e-4)
        assert detector(WhiteRectangle([])).detect([]) == []

    def test_the_card_defines_the_network_input(self, detector):
        red = np.zeros((40, 40, 3), np.uint8)
        red[..., 0] = 255
        for channels, place in (("rgb", 0), ("bgr", 2)):
            player = detector(Stub([]), channels=channels)
            player.detect([red])
            first, padding = player._network.module.seen[0]
            assert first[place].unique().tolist() == pytest.approx([(1 - 0.485) / 0.229])
            assert first[2 - place].unique().tolist() == pytest.approx([-0.406 / 0.225])
            assert padding.abs().max() == 0

    @pytest.mark.parametrize("image", [np.zeros((40, 40), np.uint8), np.zeros((40, 40, 3), np.float32)])
    def test_other_images_are_refused(self, detector, image):
        with pytest.raises(ValueError, match="uint8 RGB"):
            detector(Stub([])).detect([image])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"min_confidense": 0.5}, "min_confidense: Extra inputs"),
        ({"select": "first"}, "select: Input should be 'largest' or 'probability'"),
        ({"nms": 0}, "nms: .* it takes select, min_confidence, nms, decimals, coordinates"),
    ],
)
def test_wrong_arguments_are_named_with_those_that_fit(detector, arguments, message):
    with pytest.raises(UserError, match=message):
        detector(Stub([]), arguments=arguments)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    with torch.device("meta"):
        skeleton = RetinaFaceR50()
    state = random_state(skeleton, 0)
    RetinaFaceR50.rehearse(state)
    path = tmp_path_factory.mktemp("weights") / "retinaface.safetensors"
    save_file(state, path)
    return path


@pytest.fixture(scope="module")
def player(weights):
    return RetinaFaceDetector(card(), weights, Execution(micro_batch=2))


class TestWholeNetwork:
    def test_rehearsal_weights_find_the_middle_of_an_embedded_portrait(self, player):
        noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3)).astype(np.uint8)
        (face,) = player.detect([noise])
        assert face.probability > 0.99
        np.testing.assert_allclose(face.box, [31.5, 31.5, 95.5, 95.5], atol=2)
        np.testing.assert_allclose(face.landmarks.mean(axis=0), [63.5, 73], atol=3)

    def test_a_result_does_not_depend_on_its_neighbours(self, player):
        noise = np.random.default_rng(1).integers(0, 256, (3, 48, 40, 3)).astype(np.uint8)
        face = player.detect(list(noise))[1]
        for other in (player.detect([noise[1]])[0], player.detect([noise[2], noise[1]])[1]):
            assert face.probability == other.probability
            np.testing.assert_array_equal(face.box, other.box)
            np.testing.assert_array_equal(face.landmarks, other.landmarks)

    def test_the_size_of_micro_batches_changes_only_the_last_bits(self, player, weights):
        noise = np.random.default_rng(2).integers(0, 256, (2, 48, 40, 3)).astype(np.uint8)
        single = RetinaFaceDetector(card(), weights, Execution(micro_batch=1))
        for face, other in zip(player.detect(list(noise)), single.detect(list(noise)), strict=True):
            np.testing.assert_allclose(face.landmarks, other.landmarks, atol=1e-3)


@pytest.mark.parametrize(("sides", "height", "width"), [("rounded", 188, 250), ("truncated", 187, 249)])
def test_the_searched_copy_of_a_picture_that_is_not_square(detector, sides, height, width):
    """As released its sides are truncated: 333 x 250 px become 249 x 187, another input of the network.

    The longer side loses a pixel too: in floating point 333 * (250 / 333) is just below 250.
    """
    network = WhiteRectangle([])
    picture = np.zeros((250, 333, 3), np.uint8)
    picture[80:180, 100:220] = 255
    (face,) = detector(network, arguments={"sides": sides}).detect([picture])
    assert network.seen[0].shape[2:] == (height, width)
    # All coordinates are scaled back by the ratio of the heights, as released, where that of the widths is 333 / 250.
    ratio = 250 / height if sides == "truncated" else 333 / 250
    columns = np.array([100, 220]) * width / 333
    assert face.box[[0, 2]] + 0.5 == pytest.approx(columns * ratio, abs=1.5)
    assert face.box[[1, 3]] + 0.5 == pytest.approx([80, 180], abs=1.5)
