"""Properties of the renderer: equal bytes, true landmarks, exact occlusion, and detectable faces."""

import numpy as np
import pytest

from synfiqa.actors.face3d import HeadRenderer, sample_identity
from synfiqa.actors.face3d.render.shadow import visibility
from synfiqa.actors.face3d.shape.mesh import Part
from synfiqa.actors.face_analysis.mtcnn import MtcnnDetector
from synfiqa.schemas.recipe import Expression, Light, Pose, Recipe

SIZE = 96


def recipe(seed=11, kind="reference", **fields):
    return Recipe(kind=kind, seed=seed, **fields)


def mixed_recipes():
    return [
        recipe(1),
        recipe(2, "degraded", pose=Pose(yaw=50, pitch=10, roll=5), background="blurred"),
        recipe(3, "degraded", occluder="mask", occluder_coverage=0.7, background="cluttered"),
        recipe(4, "degraded", occluder="hand", occluder_coverage=0.5, expression=Expression(smile=0.8)),
        recipe(5, "degraded", occluder="scarf", occluder_coverage=0.6, background="gradient"),
        recipe(6, "degraded", expression=Expression(eyes_closed=1, mouth_open=0.6), light=Light(harshness=1)),
    ]


@pytest.mark.parametrize("seed", [0, 4])
def test_result_does_not_depend_on_the_batch(seed):
    person, recipes = sample_identity(seed), mixed_recipes()
    together = HeadRenderer().render(person, recipes, SIZE)
    for splits in ([1] * 6, [2, 4], [5, 1]):
        other = HeadRenderer()
        other.render(sample_identity(99), recipes[:1], SIZE)  # a used renderer gives the same as a fresh one
        start = 0
        for length in splits:
            part = other.render(person, recipes[start : start + length], SIZE)
            stop = start + length
            assert np.array_equal(part.images, together.images[start:stop])
            assert np.array_equal(part.landmarks, together.landmarks[start:stop])
            assert np.array_equal(part.occluded_fraction, together.occluded_fraction[start:stop])
            assert np.array_equal(part.face_fraction, together.face_fraction[start:stop])
            start = stop


def test_shapes_and_ranges(renderer):
    out = renderer.render(sample_identity(1), mixed_recipes(), SIZE)
    assert out.images.shape == (6, SIZE, SIZE, 3)
    assert out.images.dtype == np.uint8
    assert out.landmarks.shape == (6, 5, 2)
    assert out.landmarks.dtype == out.occluded_fraction.dtype == out.face_fraction.dtype == np.float32
    assert ((out.occluded_fraction >= 0) & (out.occluded_fraction <= 1)).all()
    assert ((out.face_fraction > 0.1) & (out.face_fraction < 0.6)).all()
    assert renderer.render(sample_identity(1), [], SIZE).images.shape == (0, SIZE, SIZE, 3)


def test_unused_recipe_fields_are_ignored(renderer):
    person = sample_identity(2)
    plain = renderer.render(person, [recipe()], SIZE).images
    ruined = renderer.render(person, [recipe(downsample=4, blur=5, jpeg_quality=10)], SIZE).images
    assert np.array_equal(plain, ruined)


@pytest.mark.parametrize("seed", range(4))
def test_landmarks_follow_the_pose(renderer, seed):
    person = sample_identity(seed).without_glasses()
    poses = [Pose(), Pose(yaw=30), Pose(yaw=-30), Pose(pitch=25), Pose(pitch=-25), Pose(roll=20)]
    front, right, left, up, down, rolled = renderer.render(person, [recipe(pose=p) for p in poses], 128).landmarks
    # image-left before image-right, eyes over nose over mouth
    assert front[0, 0] < front[2, 0] < front[1, 0]
    assert front[3, 0] < front[4, 0]
    assert front[:2, 1].max() < front[2, 1] < front[3:, 1].min()

    def nose_offset(points):
        return points[2] - points[:2].mean(0)

    assert nose_offset(right)[0] > nose_offset(front)[0] + 4
    assert nose_offset(left)[0] < nose_offset(front)[0] - 4
    assert nose_offset(up)[1] < nose_offset(front)[1] - 2
    assert nose_offset(down)[1] > nose_offset(front)[1] + 2
    # clockwise: the image-right eye sinks
    assert rolled[1, 1] > rolled[0, 1] + 4


def test_profile_landmarks_stay_in_frame(renderer):
    for yaw in (-90, 90):
        points = renderer.render(sample_identity(6), [recipe(pose=Pose(yaw=yaw))], 128).landmarks[0]
        assert ((points > 0) & (points < 127)).all()
        assert np.sign(points[2, 0] - points[:2, 0].mean()) == np.sign(yaw)


def test_eye_landmarks_are_on_the_eyes(renderer):
    # closing the eyes changes the image around the eye landmarks far more than elsewhere
    person = sample_identity(13).without_glasses()
    out = renderer.render(person, [recipe(), recipe(expression=Expression(eyes_closed=1))], 128)
    change = np.abs(out.images[0].astype(int) - out.images[1]).sum(-1)
    yy, xx = np.mgrid[:128, :128]
    near = np.zeros((128, 128), bool)
    for x, y in out.landmarks[0, :2]:
        near |= (xx - x) ** 2 + (yy - y) ** 2 < 8**2
    assert change[near].sum() > 0.95 * change.sum()
    assert change[near].max() > 90


def test_expressions_move_the_mouth(renderer):
    person = sample_identity(3).without_glasses()
    neutral = renderer.render(person, [recipe()], 128)
    smile = renderer.render(person, [recipe(expression=Expression(smile=1))], 128)
    pucker = renderer.render(person, [recipe(expression=Expression(pucker=1))], 128)
    width = [float(o.landmarks[0, 4, 0] - o.landmarks[0, 3, 0]) for o in (pucker, neutral, smile)]
    assert width[0] < width[1] < width[2]
    assert smile.landmarks[0, 3:, 1].mean() < neutral.landmarks[0, 3:, 1].mean() - 1


def test_occlusion_grows_with_coverage_and_is_zero_without(renderer):
    person = sample_identity(8).without_glasses()
    for kind in ("mask", "scarf"):
        covers = [recipe(occluder=kind, occluder_coverage=c) for c in (0.1, 0.4, 0.7, 1.0)]
        shares = renderer.render(person, covers, SIZE).occluded_fraction
        assert (np.diff(shares) > 0).all()
        assert shares[-1] > 0.3
    assert renderer.render(person, [recipe()], SIZE).occluded_fraction[0] == 0
    for kind in ("glasses", "sunglasses", "hand"):
        share = renderer.render(person, [recipe(occluder=kind, occluder_coverage=0.5)], SIZE).occluded_fraction[0]
        assert 0.005 < share < 0.6


def test_own_glasses_are_visible_unless_removed(renderer):
    person = sample_identity(10).with_attributes(glasses=True)
    worn = renderer.render(person, [recipe()], SIZE).images[0].astype(int)
    bare = renderer.render(person.without_glasses(), [recipe()], SIZE).images[0].astype(int)
    assert np.abs(worn - bare).max() > 40


def test_nuisance_follows_the_recipe_seed(renderer):
    person = sample_identity(4)
    one, two = renderer.render(person, [recipe(1), recipe(2)], SIZE).images.astype(int)
    assert np.abs(one - two).mean() > 3


def test_exposure_and_light(renderer):
    person = sample_identity(4)
    lights = [Light(exposure=0.3), Light(), Light(exposure=2)]
    means = renderer.render(person, [recipe(light=x) for x in lights], SIZE).images.mean((1, 2, 3))
    assert means[0] < means[1] < means[2]
    right = renderer.render(person, [recipe(light=Light(azimuth=80, harshness=1))], SIZE)
    x = int(right.landmarks[0, 2, 0])
    y = slice(int(right.landmarks[0, 0, 1]) + 3, int(right.landmarks[0, 3, 1]))
    picture = right.images[0].astype(float)
    assert picture[y, x + 3 : x + 14].mean() > 1.5 * picture[y, x - 14 : x - 3].mean()


def test_identities_differ_in_gray_shape():
    renderer = HeadRenderer()
    gray = []
    for seed in range(6):
        person = sample_identity(seed).with_attributes(hair_style="bald", skin_tone=4, beard="none", glasses=False)
        image = renderer.render(person, [recipe()], SIZE).images[0].mean(-1)[20:76, 24:72]
        gray.append((image - image.mean()) / image.std())
    correlation = np.corrcoef([g.ravel() for g in gray])
    assert correlation[np.triu_indices(6, 1)].max() < 0.97


def test_detector_finds_frontal_faces_at_the_true_landmarks(renderer):
    rendered = [renderer.render(sample_identity(300 + i), [recipe(i)], 128) for i in range(12)]
    found = MtcnnDetector().detect([r.images[0] for r in rendered])
    errors = []
    for face, r in zip(found, rendered, strict=True):
        assert face is not None
        truth = r.landmarks[0]
        error = np.linalg.norm(face.landmarks - truth, axis=1)
        errors.append(error / np.linalg.norm(truth[0] - truth[1]))
    assert np.mean(errors) < 0.10


def test_own_glasses_are_no_occluder(renderer):
    person = sample_identity(10).with_attributes(glasses=True)
    assert renderer.render(person, [recipe()], SIZE).occluded_fraction[0] == 0


def test_harsh_light_casts_shadows():
    # light from straight above: the nose and brow shade what lies below them, the forehead stays lit
    person = sample_identity(13).with_attributes(hair_style="bald", beard="none", glasses=False)
    out = HeadRenderer().render(person, [recipe(light=Light(elevation=60, harshness=1))], 128)
    image, (left, right, nose, *_) = out.images[0].mean(-1), out.landmarks[0]
    forehead = image[int(left[1]) - 18, int(nose[0])]
    eyes = image[int(left[1]), int(left[0])] / 2 + image[int(right[1]), int(right[0])] / 2
    assert eyes < 0.6 * forehead


def test_visibility_behind_and_before_a_wall():
    wall = np.stack(np.meshgrid(np.linspace(-0.5, 0.5, 9), np.linspace(0.5, -0.5, 9)), -1)
    wall = np.concatenate((wall, np.zeros((9, 9, 1))), -1).astype(np.float32)
    points = np.array([[0, 0, -0.6], [0, 0, 0.6], [1.2, 0, -0.6]], np.float32)
    lit = visibility([Part("head", wall)], points, (0.0, 0.0, 1.0))
    assert lit == pytest.approx([0, 1, 1], abs=1e-5)


@pytest.mark.parametrize(("kind", "differs"), [("reference", False), ("degraded", True)])
def test_hair_varies_only_for_training_and_never_in_references(kind, differs):
    """Labels used to depend on varied hair colour, which no recipe commands and no quality model can predict."""
    person = sample_identity(13).with_attributes(hair_style="bob", hair_colour="black", beard="none", glasses=False)
    recipes = [recipe(seed, kind) for seed in range(4)]
    plain = HeadRenderer(supersample=1).render(person, recipes, 64).images
    varied = HeadRenderer(supersample=1, hair_varies=True).render(person, recipes, 64).images
    assert (plain != varied).any() == differs
