"""Pictures by the chain of a tiny diffusion model: what each hangs on, how faces are chosen, when a sample is given up.

The detector and the embedder are told what to say, for random pictures show nobody.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from synfiqa.actors.generation.conditional.diffusion_generator import (
    DiffusionConditionalGenerator,
    Parts,
    aims_of,
    alignable,
)
from synfiqa.actors.generation.conditional.parametric_bank import parametric_bank
from synfiqa.actors.generation.controlled_diffusion.rehearsal import write_random
from synfiqa.actors.generation.controlled_diffusion.sampler import ControlledDiffusion
from synfiqa.actors.generation.face_model.camera import crop_transforms
from synfiqa.actors.generation.face_model.procedural import ProceduralFaceModel
from synfiqa.actors.generation.face_model.procedural_encoder import ProceduralEncoder
from synfiqa.actors.imaging.alignment import ARCFACE_TEMPLATE, align
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.recognition.network_embedder import conditioning_crop
from synfiqa.actors.roles import Detection, IdentitySource, Rejection
from synfiqa.schemas.config.generate import DegradedSection, DiffusionSection
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard
from synfiqa.schemas.recipe import Recipe
from tests.actors.generation.diffusion_chain_config import DIFFUSION

CARD = ModelCard(name="sd", **DIFFUSION)
BANK = parametric_bank(1, 2, 6, "procedural", DegradedSection())
RECIPES = [
    Recipe(kind="degraded", seed=100 + index, template=f"DEG-0000{index}", prompt="a photo of the face of a person")
    for index in range(3)
]
POINTS = np.array([[0.4, 0.4], [0.6, 0.4], [0.5, 0.5], [0.42, 0.6], [0.58, 0.6]])


def face_at(x, y, side, probability=0.9):
    """A face whose box is centred at shares x, y of a picture."""
    centre = np.array([x, y]) * side - 0.5
    box = np.concatenate([centre - 10, centre + 10])
    return Detection(probability, box, centre + (POINTS - 0.5) * 20)


class Told:
    """A detector that finds in every picture what `look` says."""

    def __init__(self, look=lambda picture: [face_at(0.5, 0.5, len(picture))]):
        self.look, self.seen = look, []

    def faces(self, images):
        self.seen += [image.copy() for image in images]
        return [self.look(image) for image in images]


class Named:
    """An embedder of 512 numbers that hang on the crop's mean brightness, and keeps its crops."""

    name = "named"

    def __init__(self, numbers=512, crop="aligned", side=112):
        self.numbers, self.crop, self.side, self.seen = numbers, crop, side, []

    def embed(self, images):
        self.seen += [image.copy() for image in images]
        angle = images.mean(axis=(1, 2, 3)) / 255 * np.pi
        vectors = np.zeros((len(images), self.numbers), np.float32)
        vectors[:, 0], vectors[:, 1] = np.cos(angle), np.sin(angle)
        return vectors


@pytest.fixture(scope="module")
def diffusion(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sd")
    write_random(CARD, folder, seed=1)
    return ControlledDiffusion(CARD, folder, Execution(micro_batch=2))


@pytest.fixture(scope="module")
def parts(diffusion):
    encoder = ProceduralEncoder(CARD, None, Execution())
    return Parts(ProceduralFaceModel(), encoder, None, diffusion, Named(), Told())


@pytest.fixture(scope="module")
def source():
    portrait = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return IdentitySource(identity=0, seed=9, attributes={}, image=portrait)


def generator(parts, profile="corrected", **settings):
    return DiffusionConditionalGenerator(parts, DiffusionSection(**settings), profile, BANK)


@pytest.fixture(scope="module")
def together(parts, source):
    return generator(parts).generate(source, RECIPES)


def test_portraits_are_pictures_of_the_cards_size_with_the_detectors_landmarks(together):
    assert together.images.shape == (3, 64, 64, 3)
    assert together.images.dtype == np.uint8
    assert len({image.tobytes() for image in together.images}) == 3
    assert all(together.fit(index) for index in range(3))
    np.testing.assert_allclose(together.landmarks[1], face_at(0.5, 0.5, 64).landmarks)
    assert (together.occluded_fraction == 0).all()


def test_a_picture_hangs_on_its_own_recipe_and_on_no_neighbour(parts, source, together):
    alone = generator(parts).generate(source, RECIPES[2:])
    np.testing.assert_array_equal(alone.images[0], together.images[2])
    turned = generator(parts).generate(source, RECIPES[::-1])
    np.testing.assert_array_equal(turned.images[::-1], together.images)


@pytest.mark.parametrize("change", [{"seed": 5}, {"template": "DEG-00004"}, {"prompt": "a photo in the rain"}])
def test_seed_template_and_prompt_each_move_the_picture(parts, source, together, change):
    (other,) = generator(parts).generate(source, [RECIPES[0].model_copy(update=change)]).images
    assert not np.array_equal(other, together.images[0])


def test_another_identity_is_another_picture(parts, source, together):
    other = replace(source, image=source.image[::-1].copy())
    made = generator(parts).generate(other, RECIPES[:1])
    assert not np.array_equal(made.images[0], together.images[0])


def test_an_identity_is_encoded_once_for_all_its_micro_batches(parts, source):
    embedder = Named()
    made = generator(replace(parts, embedder=embedder))
    for recipes in (RECIPES[:1], RECIPES[1:]):
        made.generate(source, recipes)
    assert len(embedder.seen) == 1


def test_a_picture_without_a_face_is_made_again_from_a_new_seed_and_leaves_its_neighbours_alone(
    parts, source, together
):
    refused = {together.images[1].tobytes()}
    detector = Told(lambda image: [] if image.tobytes() in refused else [face_at(0.5, 0.5, 64)])
    made = generator(replace(parts, detector=detector)).generate(source, RECIPES)
    assert all(made.fit(index) for index in range(3))
    for index in (0, 2):
        np.testing.assert_array_equal(made.images[index], together.images[index])
    assert not np.array_equal(made.images[1], together.images[1])
    alone = generator(replace(parts, detector=detector)).generate(source, RECIPES[1:2])
    np.testing.assert_array_equal(alone.images[0], made.images[1])


def test_what_never_shows_a_face_is_given_up_after_the_tries_of_the_config(parts, source):
    detector = Told(lambda image: [])
    made = generator(replace(parts, detector=detector), tries=2).generate(source, RECIPES[:2])
    assert [(entry.reason, entry.attempts, entry.value) for entry in made.unfit] == [("no_face", 2, None)] * 2
    # The portrait of the identity, then every picture of both tries, all of them different.
    assert len({image.tobytes() for image in detector.seen[1:]}) == 4


def test_another_person_is_given_up_with_the_cosine_that_was_measured(parts, source):
    made = generator(parts, min_identity=1.0, tries=1).generate(source, RECIPES[:2])
    for entry in made.unfit:
        assert entry.reason == "other_person"
        assert -1 <= entry.value < 1
    assert all(generator(parts, min_identity=-0.9).generate(source, RECIPES[:2]).fit(index) for index in range(2))


class Broken:
    """A diffusion model whose numbers overflow for some seeds."""

    def __init__(self, model, only_first_try):
        self._model, self._only_first, self.calls = model, only_first_try, 0
        self.card, self.running, self.image_tokens = model.card, model.running, model.image_tokens

    def generate(self, control, tokens, embedding, prompts, seeds):
        pictures, finite = self._model.generate(control, tokens, embedding, prompts, seeds)
        self.calls += 1
        if self.calls == 1 or not self._only_first:
            finite[0], pictures[0] = False, 0
        return pictures, finite


def test_numbers_that_are_not_finite_cost_their_own_picture_only(parts, source, together):
    broken = Broken(parts.diffusion, only_first_try=True)
    made = generator(replace(parts, diffusion=broken)).generate(source, RECIPES)
    assert all(made.fit(index) for index in range(3))
    np.testing.assert_array_equal(made.images[1:], together.images[1:])
    broken = Broken(parts.diffusion, only_first_try=False)
    made = generator(replace(parts, diffusion=broken), tries=2).generate(source, RECIPES)
    assert (made.unfit[0].reason, made.unfit[0].attempts) == ("not_finite", 2)
    assert made.unfit[1:] == [None, None]


def test_of_a_crowd_the_face_nearest_the_control_map_is_taken_and_as_released_the_likeliest(parts, source):
    def crowd(image):
        return [face_at(0.1, 0.1, len(image), 0.99), face_at(0.5, 0.5, len(image), 0.8)]

    both = replace(parts, detector=Told(crowd))
    near = generator(both).generate(source, RECIPES)
    for points in near.landmarks:
        np.testing.assert_allclose(points, face_at(0.5, 0.5, 64).landmarks)
    likely = generator(both, "faithful").generate(source, RECIPES)
    for points in likely.landmarks:
        np.testing.assert_allclose(points, face_at(0.1, 0.1, 224).landmarks)


def test_as_released_the_face_is_sought_and_cropped_in_a_small_copy(parts, source):
    detector = Told()
    made = generator(replace(parts, detector=detector), "faithful").generate(source, RECIPES[:1])
    assert made.images.shape == (1, 224, 224, 3)
    assert [len(image) for image in detector.seen] == [64, 512, 224], "portrait, its copy for DECA, picture"


class Encoding:
    """The procedural encoder, which keeps its boxes."""

    def __init__(self):
        self._encoder, self.seen = ProceduralEncoder(CARD, None, Execution()), []

    def encode(self, images, boxes):
        self.seen.append((images[0].shape, boxes[0].tolist()))
        return self._encoder.encode(images, boxes)


@pytest.mark.parametrize(
    ("profile", "shape", "box", "side", "left"),
    [
        # DECA's own rule takes the box as it is: 1.25 (200 + 270) / 2.
        ("corrected", (512, 512, 3), [156, 150, 356, 420], 293, 109.5),
        # As released the box is raised by 10 px to the forehead, and padded to 280 px: 1.25 * 280.
        ("faithful", (512, 512, 3), [116, 140, 396, 420], 350, 81),
    ],
)
def test_deca_sees_the_detectors_box_and_as_released_a_square_up_to_the_forehead(
    parts, source, profile, shape, box, side, left
):
    """The corner of `tform` differs by 29 px."""
    points = np.array([[200.0, 220], [310, 222], [256, 270], [210, 300], [300, 300]])
    face = Detection(0.9, np.array([156.0, 150, 356, 420]), points)
    portrait = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    encoder, detector = Encoding(), Told(lambda image: [face] if len(image) == 512 else [])
    made = generator(replace(parts, face_encoder=encoder, detector=detector), profile, tries=1)
    made.generate(replace(source, image=portrait), RECIPES[:1])
    assert encoder.seen == [(shape, box)]
    forward, tform = crop_transforms(np.array([box], float))
    assert 223 / forward[0, 0, 0] == pytest.approx(side)
    assert tform[0, 2, 0] == left


def test_deca_as_released_sees_the_portrait_at_512_pixels_without_half_a_pixel_of_the_box(parts, source):
    found = np.array([100.4, 90.6, 300.6, 310.2])
    points = np.array([[150.0, 180], [250, 180], [200, 220], [160, 250], [240, 250]])
    detector = Told(lambda image: [Detection(0.9, found, points)] if len(image) == 512 else [])
    encoder = Encoding()
    generator(replace(parts, face_encoder=encoder, detector=detector), "faithful", tries=1).generate(
        source, RECIPES[:1]
    )
    # Rounded to 100, 91, 301, 310 and padded on both sides by (219 - 201) / 2.
    assert encoder.seen == [((512, 512, 3), [91, 91, 310, 310])]


def test_a_portrait_without_a_face_is_encoded_whole(parts, source):
    for profile, box in (("corrected", [0, 0, 63, 63]), ("faithful", [0, 0, 511, 511])):
        encoder = Encoding()
        blind = replace(parts, face_encoder=encoder, detector=Told(lambda image: []))
        generator(blind, profile, tries=1).generate(source, RECIPES[:1])
        assert encoder.seen[0][1] == box


def test_landmarks_that_coincide_or_are_no_numbers_are_no_face(parts, source):
    flat = Detection(0.99, np.array([0.0, 0, 9, 9]), np.full((5, 2), 4.0))
    wild = Detection(0.99, np.array([0.0, 0, 9, 9]), np.full((5, 2), np.nan))
    boxless = replace(face_at(0.5, 0.5, 64), box=np.full(4, np.nan))
    assert not alignable(boxless)
    assert not alignable(flat)
    assert not alignable(wild)
    assert alignable(face_at(0.5, 0.5, 64))
    detector = Told(lambda image: [flat, wild, boxless])
    made = generator(replace(parts, detector=detector), tries=1).generate(source, RECIPES[:1])
    assert made.unfit[0].reason == "no_face"


def test_what_the_face_parser_paints_white_does_not_reach_the_image_encoder(parts, source, together):
    class Parser:
        def white_out(self, images):
            whitened = images.copy()
            whitened[:, :20] = 255
            return whitened

    made = generator(replace(parts, face_parser=Parser())).generate(source, RECIPES[:1])
    assert not np.array_equal(made.images[0], together.images[0])


def told_box(side):
    """A face of the middle of a picture: 20 pixels wide and high, whatever its side."""
    return face_at(0.5, 0.5, side)


@pytest.mark.parametrize("profile", ["corrected", "faithful"])
def test_facenet_is_shown_the_box_of_the_portrait_and_of_every_picture(parts, source, profile):
    embedder, detector = Named(crop="box", side=160), Told()
    made = generator(replace(parts, embedder=embedder, detector=detector), profile, min_identity=-0.99)
    made.generate(source, RECIPES[:2])
    # As released the portrait is searched once more, for DECA.
    seen = [image for image in detector.seen if len(image) != 512]
    assert len(seen) == len(embedder.seen) == 3
    for image, crop in zip(seen, embedder.seen, strict=True):
        np.testing.assert_array_equal(crop, conditioning_crop(image, told_box(len(image)), 160))


def test_an_embedder_of_aligned_faces_is_shown_those_and_as_released_the_box(parts, source):
    embedder, detector = Named(), Told()
    both = replace(parts, embedder=embedder, detector=detector)
    generator(both, min_identity=-0.99).generate(source, RECIPES[:1])
    for image, crop in zip(detector.seen, embedder.seen, strict=True):
        np.testing.assert_array_equal(crop, align([image], told_box(len(image)).landmarks[None])[0])
    generator(both, "faithful").generate(source, RECIPES[:1])
    np.testing.assert_array_equal(embedder.seen[2], conditioning_crop(source.image, told_box(64), 112))


@pytest.mark.parametrize("embedder", [Named(), Named(crop="box", side=160)])
def test_of_a_portrait_without_a_face_the_whole_is_embedded(parts, source, embedder):
    generator(replace(parts, embedder=embedder, detector=Told(lambda image: []))).generate(source, RECIPES[:1])
    np.testing.assert_array_equal(embedder.seen[-1], conditioning_crop(source.image, None, embedder.side))


def test_a_large_face_is_aligned_without_aliasing(parts, source):
    noise = np.random.default_rng(5).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    wide = Detection(0.9, np.array([60.0, 60, 450, 450]), ARCFACE_TEMPLATE * 3.5 + 60)
    embedder, detector = Named(), Told(lambda image: [wide] if len(image) == 512 else [])
    generator(replace(parts, embedder=embedder, detector=detector), tries=1).generate(
        replace(source, image=noise), RECIPES[:1]
    )
    # Averaging blocks of 3 x 3 leaves a third of white noise.
    sampled = align([noise], wide.landmarks[None])[0]
    assert embedder.seen[0].std() < 0.6 * sampled.std()


class Unpainted:
    """A diffusion model that encodes but must not paint."""

    def __init__(self, model):
        self.card, self.running, self.image_tokens = model.card, model.running, model.image_tokens

    def generate(self, *arguments):
        raise AssertionError("nothing is to be painted")


class Lost:
    """A part of the chain that answers like another one, but with a number that is not finite."""

    def __init__(self, part):
        self._part = part

    def __getattr__(self, name):
        return getattr(self._part, name)

    def encode(self, images, boxes):
        found = self._part.encode(images, boxes)
        return replace(found, texture=found.texture * torch.nan)

    def image_tokens(self, images):
        tokens = self._part.image_tokens(images).copy()
        tokens[0, -1, -1] = np.inf
        return tokens

    def embed(self, images):
        return self._part.embed(images) * np.float32("nan")


@pytest.mark.parametrize("part", ["face_encoder", "diffusion", "embedder"])
def test_an_identity_whose_encoding_is_not_finite_is_given_up_once_and_nothing_painted(parts, source, part):
    detector = Told()
    idle = replace(parts, detector=detector, diffusion=Unpainted(parts.diffusion))
    made = generator(replace(idle, **{part: Lost(getattr(idle, part))}))
    for recipes in (RECIPES[:2], RECIPES[2:]):
        given_up = made.generate(source, recipes)
        told = "the encoding of the identity's portrait is not finite"
        assert given_up.unfit == [Rejection("not_finite", told, None, 1)] * len(recipes)
        assert given_up.images.shape == (len(recipes), 64, 64, 3)
    assert len(detector.seen) == 1, "it is encoded once for all micro-batches"


def test_an_embedder_of_other_numbers_is_refused(parts, source):
    with pytest.raises(UserError, match="named embeds faces in 128 numbers but the image model takes 512"):
        generator(replace(parts, embedder=Named(128))).generate(source, RECIPES[:1])


def test_the_aim_is_the_centre_of_what_is_drawn_and_nothing_where_nothing_is():
    control = torch.zeros(2, 9, 10, 10)
    control[0, 2, 2:6, 4:10] = 1
    aims = aims_of(control)
    np.testing.assert_allclose(aims[0], [0.7, 0.4])
    assert np.isnan(aims[1]).all()
