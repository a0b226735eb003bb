import shutil
from pathlib import Path

import cv2
import facenet_pytorch
import numpy as np
import pytest
import torch
from skimage.data import astronaut

from synfiqa.actors.face_analysis.mtcnn import MtcnnDetector, mtcnn
from synfiqa.actors.model_store.execution import Execution
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

WEIGHTS = Path(facenet_pytorch.__file__).parent / "data"

PHOTO = astronaut()
BOX = np.array([181.0, 62.0, 268.0, 172.0])
LANDMARKS = np.array([[205.0, 101.7], [246.8, 103.7], [224.7, 129.0], [201.7, 139.2], [245.3, 141.9]])


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several threads are very slow on a machine with other load
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def detector():
    return MtcnnDetector()


def assert_equal(one, two, tolerance=0.0):
    assert one.probability == pytest.approx(two.probability, abs=tolerance)
    np.testing.assert_allclose(one.box, two.box, atol=tolerance)
    np.testing.assert_allclose(one.landmarks, two.landmarks, atol=tolerance)


def test_finds_a_real_face_with_image_left_landmarks_first(detector):
    (face,) = detector.detect([PHOTO])
    assert face.probability > 0.999
    assert face.box.dtype == face.landmarks.dtype == np.float64
    np.testing.assert_allclose(face.box, BOX, atol=5)
    np.testing.assert_allclose(face.landmarks, LANDMARKS, atol=4)


def test_no_face_is_found_in_an_empty_image(detector):
    grey = np.full((128, 128, 3), 120, np.uint8)
    assert detector.detect([grey, grey[:64]]) == [None, None]
    assert detector.detect([]) == []


@pytest.mark.parametrize("shape", [(0, 0), (0, 30), (1, 1), (19, 200), (200, 19), (20, 20), (1, 4000), (4000, 24)])
def test_tiny_and_narrow_images_do_not_crash(detector, shape):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    assert detector.detect([noise]) == [None]


def test_large_photographs_are_searched_small_and_answered_in_their_own_pixels(detector):
    large = cv2.resize(PHOTO, (2048, 1536), interpolation=cv2.INTER_CUBIC)
    (face,) = detector.detect([large])
    np.testing.assert_allclose(face.landmarks, (LANDMARKS + 0.5) * (4, 3) - 0.5, atol=14)


def test_images_of_mixed_sizes_and_missing_faces_keep_their_places(detector):
    crop = np.ascontiguousarray(PHOTO[20:220, 130:320])
    grey = np.full_like(crop, 90)
    found = detector.detect([grey, PHOTO, crop, grey, PHOTO[:10]])
    assert [face is not None for face in found] == [False, True, True, False, False]
    assert_equal(found[1], detector.detect([PHOTO])[0])
    np.testing.assert_allclose(found[2].landmarks, LANDMARKS - (130, 20), atol=4)


def test_a_result_does_not_depend_on_its_neighbours(detector):
    crops = [np.ascontiguousarray(PHOTO[i : 200 + i, 130 + i : 330 + i]) for i in range(0, 40, 8)]
    together = detector.detect(crops)
    for face, crop in zip(together, crops, strict=True):
        assert_equal(face, detector.detect([crop])[0])
    batched = MtcnnDetector(micro_batch=3).detect(crops)
    for face, other in zip(together, batched, strict=True):
        assert_equal(face, other, tolerance=1e-3)


def test_select_chooses_among_several_faces():
    large = cv2.GaussianBlur(cv2.resize(PHOTO[30:230, 120:320], (300, 300)), (0, 0), 9)
    scene = np.zeros((300, 500, 3), np.uint8)
    scene[:, :300] = large
    scene[100:228, 340:468] = cv2.resize(PHOTO[30:230, 120:320], (128, 128), interpolation=cv2.INTER_AREA)
    (largest,) = MtcnnDetector(select="largest").detect([scene])
    (sharpest,) = MtcnnDetector(select="probability").detect([scene])
    assert largest.box[2] < 300
    assert sharpest.box[0] > 300
    assert sharpest.probability > largest.probability


@pytest.mark.parametrize("image", [PHOTO[..., 0], PHOTO.astype(np.float32)])
def test_other_images_are_refused(detector, image):
    with pytest.raises(ValueError, match="uint8 RGB"):
        detector.detect([image])


def test_wrong_parameters_are_refused():
    with pytest.raises(ValueError, match="max_side"):
        MtcnnDetector(max_side=4)


class TestPlayer:
    crop = np.ascontiguousarray(PHOTO[20:220, 130:330])

    def player(self, path=WEIGHTS, **arguments):
        fields = {"role": "detector", "architecture": "mtcnn", "source": "package:facenet_pytorch/data"}
        described = {"input_size": 640, "channels": "rgb", "value_range": (-1, 1), "output": "a face"}
        licence = {"licence": "MIT", "commercial_use": True, "sha256": "0" * 64}
        card = ModelCard(name="mtcnn", arguments=arguments, **fields, **described, **licence)
        return mtcnn(card, path, Execution("cpu", "bfloat16", micro_batch=16))

    @pytest.mark.parametrize("path", [WEIGHTS, Path()])
    def test_finds_what_the_detector_without_a_card_finds_to_the_last_bit(self, detector, path):
        assert_equal(self.player(path).detect([self.crop])[0], detector.detect([self.crop])[0])

    def test_the_weights_of_the_folder_are_used(self, tmp_path):
        folder = shutil.copytree(WEIGHTS, tmp_path / "weights")
        blind = {key: torch.zeros_like(value) for key, value in torch.load(folder / "onet.pt").items()}
        torch.save(blind, folder / "onet.pt")
        assert self.player(folder).detect([self.crop]) == [None]
        (folder / "rnet.pt").unlink()
        with pytest.raises(UserError, match=r"rnet\.pt"):
            self.player(folder)

    def test_wrong_arguments_are_named_with_those_that_fit(self):
        with pytest.raises(UserError, match=r"size: Extra inputs.*: it takes select, micro_batch"):
            self.player(size=3)
        with pytest.raises(UserError, match="micro_batch"):
            self.player(micro_batch=0)


def test_mirrored_photographs_have_mirrored_landmarks(detector):
    # facenet-pytorch puts landmarks a pixel too far right, whichever way the face looks: half of what two mirror images
    # disagree about
    offsets = []
    for number in range(8):
        scale, shift = 0.5 + 0.08 * number, 3.3 * number
        matrix = np.array([[scale, 0, shift], [0, scale, shift]])
        image = cv2.warpAffine(PHOTO, matrix, (420, 420), flags=cv2.INTER_AREA)
        (face, mirrored) = detector.detect([image, np.ascontiguousarray(image[:, ::-1])])
        x = 419 - mirrored.landmarks[[1, 0, 2, 4, 3], 0]
        offsets.append((face.landmarks[:, 0] - x).mean() / 2)
    assert abs(np.mean(offsets)) < 0.35
