"""Composes the scene of an image: posed parts, camera and nuisance draws, from identity, assets and recipe."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from synfiqa.actors.face3d.paint.canvas import to_linear
from synfiqa.actors.face3d.render.assets import Assets
from synfiqa.actors.face3d.render.lighting import lamp
from synfiqa.actors.face3d.shape.expression import expressed_grid, lid_level
from synfiqa.actors.face3d.shape.face_points import sample_grid
from synfiqa.actors.face3d.shape.head import LIP_ROW, attachment, column_angles, row_of, smoothstep
from synfiqa.actors.face3d.shape.identity import HAIR_COLOURS, Identity
from synfiqa.actors.face3d.shape.mesh import Material, Part
from synfiqa.actors.face3d.shape.mouth import lip_gap, mouth_parts
from synfiqa.actors.face3d.wear.body import bun, torso
from synfiqa.actors.face3d.wear.fringe import fringe
from synfiqa.actors.face3d.wear.hair import COLOURS, style_of
from synfiqa.actors.face3d.wear.hat import PRESSED_HAIR
from synfiqa.actors.face3d.wear.held_object import FaceBox, held_object
from synfiqa.actors.face3d.wear.occluders import build_occluder
from synfiqa.actors.face3d.wear.own import Own, Under, own_things
from synfiqa.schemas.recipe import Recipe
from synfiqa.schemas.seeds import derive_seed, generator

_PIVOT = np.array([0.0, -0.75, -0.2], np.float32)  # centre of the skull's rotation on the neck
_HEAD_HEIGHT = 2.4  # head units in which recipes measure the camera's distance
_SKULL = np.array([0.0, 0.0, -0.12], np.float32)  # the axis round which hair hangs
_UNDER_HAT = 0.15  # height from which hair lies under a hat
WIDE = 1.25
"""Side of the frame of a photograph, in which a face may be off the middle, in that of a portrait."""
_EYES_APART = 0.58  # head units
_CLOTHES_REACH = 4.0  # from the middle of the head down, head units
_FACIAL_HAIR = 0.75  # brightness of brows and beard beside that of the hair
_UNDER_HIJAB, _UNDER_HOOD = 0.012, 0.09  # largest height of hair under them
_MAX_NECK_ROLL = 22.0  # degrees; what exceeds it tilts the camera, not the neck


@dataclass(frozen=True)
class Camera:
    """A camera: scale in frame heights per head unit at the face, the head origin's position in the frame, distance."""

    scale: float
    centre: tuple[float, float]  # frame position 0..1 of the origin, x right, y down
    roll: float  # degrees clockwise of the whole picture
    distance: float  # from the head's origin in head units

    def normalised(self, points: np.ndarray) -> np.ndarray:
        """Return points (V, 3) as x, y in [-1, 1] of the frame (y down) and distance from the camera."""
        p = points @ rotation(0, 0, self.roll).T if self.roll else points
        depth = self.distance - p[:, 2]
        grow = 2 * self.scale * (self.distance - 0.5) / depth
        x = p[:, 0] * grow + (2 * self.centre[0] - 1)
        y = -p[:, 1] * grow + (2 * self.centre[1] - 1)
        return np.stack((x, y, depth), 1).astype(np.float32)

    def project(self, points: np.ndarray, size: int) -> np.ndarray:
        """Return points (K, 3) in pixels of a size x size frame; pixel centres are integers."""
        out = self.normalised(points)
        out[:, :2] = (out[:, :2] + 1) * (size / 2) - 0.5
        return out


@dataclass(frozen=True)
class Scene:
    """Posed parts, camera, colours and light of one image."""

    parts: list[Part]
    occluder: list[Part]
    landmarks: np.ndarray  # (5, 3)
    face_points: np.ndarray  # (68, 3) of the iBUG mark-up
    camera: Camera
    hair_colour: np.ndarray
    facial_hair_colour: np.ndarray
    gleam: float  # of the hair's highlights
    iris: np.ndarray  # (4,) linear colour and radius
    tint: float
    harshness: float
    light_direction: tuple[float, float, float]
    rng: np.random.Generator  # for the backdrop, after all other draws


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Return the (3, 3) rotation of a head pose in degrees: pitch first, then yaw, then roll (clockwise)."""
    y, p, r = np.radians([yaw, pitch, roll])
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    nod = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    tilt = np.array([[np.cos(r), np.sin(r), 0], [-np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return (tilt @ turn @ nod).astype(np.float32)


def compose_scene(identity: Identity, assets: Assets, recipe: Recipe, hair_varies: bool = False) -> Scene:
    """Return the scene of one recipe; every free choice comes from the recipe's seed."""
    rng = generator(derive_seed(recipe.seed, "face3d", "nuisance"))
    jitter = rng.uniform(-1, 1, 8)
    body = torso(generator(derive_seed(recipe.seed, "face3d", "clothes")), identity)
    hair_rng = generator(derive_seed(recipe.seed, "face3d", "hair"))
    hair_scale = float(hair_rng.uniform(0.75, 1.3)) if hair_varies else 1.0
    colour = _hair_colour(identity, hair_rng, hair_varies)

    pose = recipe.pose
    neck_roll = float(np.clip(pose.roll, -_MAX_NECK_ROLL, _MAX_NECK_ROLL))
    turn = rotation(pose.yaw, pose.pitch, neck_roll)
    settle = rotation(0.25 * pose.yaw, 0, 0)

    def rigid(points: np.ndarray) -> np.ndarray:
        return (points - _PIVOT) @ turn.T + _PIVOT

    grid = expressed_grid(assets.grid, assets.basis, recipe.expression)
    follow = attachment()[..., None]
    posed = follow * rigid(grid) + (1 - follow) * (grid @ settle.T)
    inside = mouth_parts(assets.grid, grid, assets.measures)
    keep = assets.bare_quads
    if inside:
        keep = keep.copy()
        keep[LIP_ROW] &= ~lip_gap(assets.measures, grid)
    head = Part("head", posed.astype(np.float32), Material.SKIN, uv=assets.uv, wrap=True, keep=keep)
    parts = [head, *(replace(part, grid=rigid(part.grid).astype(np.float32)) for part in inside)]
    parts += [replace(body, grid=(body.grid @ settle.T).astype(np.float32))]
    own = own_things(identity, grid, assets.measures, recipe.occluder, colour * _FACIAL_HAIR)
    if own.under != "hijab" and recipe.occluder != "headphones":
        parts += [replace(ear, grid=rigid(ear.grid).astype(np.float32)) for ear in assets.ears]
    parts += _hair_parts(identity, assets, hair_scale, own.under, rigid)
    parts += [replace(p, grid=rigid(p.grid).astype(np.float32)) for p in own.parts]
    if recipe.occluder == "object":
        held = generator(derive_seed(recipe.seed, "face3d", "occluder"))
        occluder = held_object(_face_box(posed), held, recipe.occluder_coverage, assets.skin)
    else:
        worn = _worn_occluder(recipe, assets, grid, colour, own)
        occluder = [replace(p, grid=rigid(p.grid).astype(np.float32)) for p in worn]

    middle = rigid(np.array([[0.0, -0.02, 0.0]], np.float32))[0]
    shot = recipe.shot
    roll = pose.roll - neck_roll + (shot.turn if shot else 0.0)
    scale = 0.667 / 2.45 * (1 + 0.05 * float(jitter[0])) * (shot.head / WIDE if shot else 1.0)
    if roll:
        middle = rotation(0, 0, roll) @ middle
    centre = (
        0.5 - scale * 0.8 * float(middle[0]) + 0.025 * float(jitter[1]),
        0.5 + scale * float(middle[1]) + 0.02 * float(jitter[2]),
    )
    if shot:
        aside = scale * _EYES_APART
        centre = centre[0] + aside * shot.shift_x, centre[1] + aside * shot.shift_y
    return Scene(
        parts=parts,
        occluder=occluder,
        landmarks=sample_grid(posed, assets.landmark_grid),
        face_points=assets.face_points.on(posed, lid_level(recipe.expression, recipe.gaze)),
        camera=Camera(scale, centre, roll, _HEAD_HEIGHT * recipe.camera_distance),
        hair_colour=colour,
        facial_hair_colour=colour * _FACIAL_HAIR,
        gleam=1 - 0.75 * min(1.0, style_of(identity).curl),
        iris=assets.iris,
        tint=float(jitter[3]),
        harshness=recipe.light.harshness,
        light_direction=lamp(recipe.light).direction,
        rng=rng,
    )


def beside(scene: Scene, recipe: Recipe, other: Scene) -> Scene:
    """Return the scene of another person, placed beside the person of a recipe's photograph and farther away."""
    shot, camera = recipe.shot, scene.camera
    assert shot is not None, "only photographs have a second face"
    scale = camera.scale * shot.second_face
    aside = rotation(0, 0, camera.roll) @ np.array([camera.scale * _EYES_APART * shot.second_x, 0, 0], np.float32)
    x, y = camera.centre[0] + float(aside[0]), camera.centre[1] - float(aside[1])
    # The clothes of a smaller person would end inside the frame.
    y = max(y, 1.0 - scale * _CLOTHES_REACH) if abs(camera.roll) < 45 else y
    return replace(other, camera=Camera(scale, (x, y), camera.roll, camera.distance))


def _worn_occluder(recipe: Recipe, assets: Assets, grid: np.ndarray, colour: np.ndarray, own: Own) -> list[Part]:
    """Return a commanded occluder that turns with the head, over the unrotated head."""
    rng = generator(derive_seed(recipe.seed, "face3d", "occluder"))
    kind, coverage = recipe.occluder, recipe.occluder_coverage
    if kind == "hair":
        strands = fringe(grid, assets.measures, rng, coverage, colour, assets.hair is not None)
        if own.edge == np.inf:
            return strands
        # They come out from under a cap or a headscarf.
        return [replace(p, keep=p.grid[1:, :-1, 1] < own.edge) for p in strands]
    over_hair = _hair_at_ears(assets) if kind == "headphones" else None
    return build_occluder(kind, grid, assets.measures, rng, coverage, assets.skin, over_hair)


def _hair_at_ears(assets: Assets) -> np.ndarray:
    """Return the height of hair (ROWS,) beside and above the ears."""
    if assets.hair is None:
        return np.zeros(len(assets.grid), np.float32)
    beside = np.abs(np.abs(column_angles()) - np.pi / 2) < 0.25
    height = np.maximum(assets.hair[:, beside].max(1), 0)
    return height if assets.hanging is None else np.maximum(height, 0.11)


def _hair_colour(identity: Identity, rng: np.random.Generator, varies: bool) -> np.ndarray:
    """Return linear hair albedo.

    If it `varies`, a fifth of the images has another hair colour and all have a random gain.
    """
    name = str(identity.attributes["hair_colour"])
    base = to_linear(np.array(COLOURS[name], np.float32)) * (1 + 0.12 * identity.a("hair_dark"))
    swap, pick, gain = rng.random(), int(rng.integers(len(HAIR_COLOURS))), float(np.exp(rng.normal(0, 0.25)))
    if not varies:
        return base.astype(np.float32)
    if swap < 0.2:
        base = to_linear(np.array(COLOURS[HAIR_COLOURS[pick]], np.float32))
    return (base * gain).astype(np.float32)


def _face_box(posed: np.ndarray) -> FaceBox:
    """Return the extent of the posed face."""
    front = posed[row_of("hairline") : row_of("chin_bottom"), np.abs(column_angles()) < 1.2]
    (left, bottom, _), (right, top, near) = front.min((0, 1)), front.max((0, 1))
    return FaceBox(float(left), float(right), float(bottom), float(top), float(near))


def _hair_parts(
    identity: Identity, assets: Assets, scale: float, under: Under, rigid: Callable[[np.ndarray], np.ndarray]
) -> list[Part]:
    """Return the hair shell, hanging hair and bun; headwear presses the hair flat and hides the bun.

    A hijab and a hood also hide hanging hair.
    """
    parts: list[Part] = []
    under_hat = under == "hat"
    if assets.hair is not None:
        last = row_of("under")
        thick = np.where(assets.hair > 0, assets.hair * scale, assets.hair)[:last]
        if under_hat:
            thick = np.where(assets.grid[:last, :, 1] > _UNDER_HAT, np.minimum(thick, PRESSED_HAIR), thick)
        if under in ("hijab", "hood"):
            thick = np.minimum(thick, _UNDER_HIJAB if under == "hijab" else _UNDER_HOOD)
        surface = assets.grid[:last] + assets.normals[:last] * thick[..., None]
        corner = np.stack((thick[:-1, :-1], thick[1:, :-1], thick[:-1, 1:], thick[1:, 1:]))
        parts.append(
            Part(
                "hair", rigid(surface).astype(np.float32), Material.HAIR, uv=assets.uv[:last], wrap=True,
                keep=np.asarray((corner > -0.03).any(0)),
            )
        )  # fmt: skip
    if assets.hanging is not None and under in ("", "hat"):
        rows, columns = assets.hanging.shape[:2]
        u = np.linspace(-0.95, 0.95, columns, dtype=np.float32)
        v = np.linspace(-0.95, -0.80, rows, dtype=np.float32)
        uv = np.stack(np.meshgrid(u, v), -1)
        hanging, low = assets.hanging, None
        if under_hat:
            # Drawn in at the hat's edge, and left out above it.
            height = hanging[..., 1:2]
            tucked = 1 - 0.09 * smoothstep(-0.05, 0.25, height)
            hanging = (hanging - _SKULL) * np.concatenate((tucked, np.ones_like(tucked), tucked), -1) + _SKULL
            low = height[:-1, :-1, 0] < 0.36
        parts.append(
            Part(
                "hair", rigid(hanging).astype(np.float32), Material.HAIR, uv=uv, double_sided=True,
                keep=low,
            )
        )  # fmt: skip
    if style_of(identity).bun and not under:
        knot = bun()
        parts.append(replace(knot, grid=rigid(knot.grid).astype(np.float32)))
    return parts
