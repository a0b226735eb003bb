"""Renders portraits of an identity by recipes, with exact landmarks and occlusion."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from synfiqa.actors.face3d.paint.features import SCLERA
from synfiqa.actors.face3d.render.assets import Assets, build_assets
from synfiqa.actors.face3d.render.background import paint_background
from synfiqa.actors.face3d.render.lighting import Lamp, backdrop_level, develop, lamp, shade, shade_hair, unit
from synfiqa.actors.face3d.render.rasterizer import positive, rasterize_hits
from synfiqa.actors.face3d.render.scene import Scene, beside, compose_scene
from synfiqa.actors.face3d.render.shadow import visibility
from synfiqa.actors.face3d.render.window import Frame, Window, around, inside, joined, reducible
from synfiqa.actors.face3d.shape.expression import lid_level
from synfiqa.actors.face3d.shape.face_points import POINTS
from synfiqa.actors.face3d.shape.identity import Identity, sample_identity
from synfiqa.actors.face3d.shape.mesh import Material, Mesh, Part, assemble
from synfiqa.actors.face3d.wear.own import HEADWEAR
from synfiqa.schemas.recipe import Pose, Recipe
from synfiqa.schemas.rows import REGIONS
from synfiqa.schemas.seeds import derive_seed, generator

_CACHED_IDENTITIES = 4
_SHADOWLESS = 0.15  # harshness up to which the key light casts no shadows; ambient occlusion is in the texture
_HAT_SHADE = 0.5  # least share of the key light that a hat blocks; its shade is not in the texture
_HAIR_OPACITY = 0.25  # scalp opacity above which the hair's shell is shaded as hair; its edge below is shaded as skin
_HIDDEN_NORMAL = -0.5  # z of a normal below which no face of a closed part is visible
_EYEBALL = 0.12  # radius in head units
# rows of a mesh's attributes that a material needs: normal, light, then uv and strand direction, or colour
_ATTRIBUTE_ROWS = {
    Material.SKIN: (0, 1, 2, 8, 3, 4),
    Material.HAIR: (0, 1, 2, 8, 3, 4, 5, 6, 7),
    Material.PLAIN: (0, 1, 2, 8, 5, 6, 7),
    Material.GLARE: (0, 1, 2, 8, 5, 6, 7, 3),
}
_HIDES = 0.5  # opacity of glare from which it hides what lies behind it
_SCLERA_LINEAR = tuple(float(v) ** 2.2 for v in SCLERA)


@dataclass
class RenderedFaces:
    """N portraits: images uint8 (N, S, S, 3) RGB, true landmarks in pixels, and exact shares of pixels."""

    images: np.ndarray
    landmarks: np.ndarray  # (N, 5, 2) image-left eye, image-right eye, nose tip, left and right mouth corner
    occluded_fraction: np.ndarray  # (N,) share of visible face skin hidden by the occluder, 0..1
    occluded_regions: (
        np.ndarray
    )  # (N, 8) the same of each of `synfiqa.schemas.rows.REGIONS`; NaN where none of it is visible
    face_fraction: np.ndarray  # (N,) share of the frame covered by head, hair and ears; NaN where a part was drawn
    face_points: np.ndarray  # (N, 68, 2) true points of the iBUG mark-up in pixels, hidden ones too


@dataclass
class _Layer:
    """One rasterised mesh: the covered pixels of the canvas, with their faces."""

    pixel: Tensor  # (P,) flat pixel index
    depth: Tensor  # (P,)
    face: Tensor  # (P,) index into mesh.faces
    bary: Tensor  # (3, P)
    mesh: Mesh
    parts: list[Part]


class HeadRenderer:
    """Renders portraits of identities, one image at a time, so that a result does not depend on its batch.

    With `hair_varies`, degraded samples may have another hair colour and volume, so that recognition networks in
    training do not rely on hair. Datasets leave it off, since no recipe commands it and no label may depend on it.
    """

    def __init__(self, device: str = "cpu", supersample: float = 1.5, hair_varies: bool = False) -> None:
        self.device = torch.device(device)
        self.hair_varies = hair_varies
        self.supersample = supersample
        self._cache: OrderedDict[tuple[object, ...], tuple[Assets, Tensor]] = OrderedDict()

    @torch.inference_mode()
    def render(
        self,
        identity: Identity,
        recipes: Sequence[Recipe],
        size: int,
        window_of: Callable[[np.ndarray, Recipe], Window] | None = None,
    ) -> RenderedFaces:
        """Return one portrait of the identity per recipe, size x size pixels.

        `window_of` landmarks (5, 2) and recipe is the part of a picture that is drawn; the rest may stay black.
        """
        out = RenderedFaces(
            np.zeros((len(recipes), size, size, 3), np.uint8),
            np.zeros((len(recipes), 5, 2), np.float32),
            np.zeros(len(recipes), np.float32),
            np.zeros((len(recipes), len(REGIONS)), np.float32),
            np.zeros(len(recipes), np.float32),
            np.zeros((len(recipes), POINTS, 2), np.float32),
        )
        assets, texture = self._assets(identity)
        for i, recipe in enumerate(recipes):
            scene = compose_scene(identity, assets, recipe, self.hair_varies and recipe.kind == "degraded")
            out.landmarks[i] = scene.camera.project(scene.landmarks, size)[:, :2]
            out.face_points[i] = scene.camera.project(scene.face_points, size)[:, :2]
            window = (0, 0, size, size) if window_of is None else window_of(out.landmarks[i], recipe)
            frame = self._frame(scene, assets, size, window)
            other = self._second_person(identity, scene, recipe, frame) if recipe.shot else None
            drawn = self._draw(scene, assets, texture, recipe, frame, other)
            image, out.occluded_fraction[i], out.occluded_regions[i], out.face_fraction[i] = drawn
            out.images[i][inside(frame.window, (0, 0, size, size))] = image
        return out

    def _frame(self, scene: Scene, assets: Assets, size: int, window: Window) -> Frame:
        """Return what is drawn of a picture: the window, and the whole face where an occluder is to be measured."""
        side = round(size * self.supersample)
        needed = window
        if scene.occluder and window != (0, 0, size, size):
            needed = joined(window, around(scene.camera.project(_face_corners(scene, assets), size)[:, :2], size))
        wide, part = reducible(needed, size, side)
        return Frame(size, side, window, wide, part)

    def _assets(self, identity: Identity) -> tuple[Assets, Tensor]:
        key = identity.key
        if key not in self._cache:
            assets = build_assets(identity)
            self._cache[key] = (assets, torch.from_numpy(assets.texture).to(self.device)[None])
            while len(self._cache) > _CACHED_IDENTITIES:
                self._cache.popitem(last=False)
        self._cache.move_to_end(key)
        return self._cache[key]

    def _draw(
        self, scene: Scene, assets: Assets, texture: Tensor, recipe: Recipe, frame: Frame, behind: Tensor | None
    ) -> tuple[np.ndarray, float, np.ndarray, float]:
        """Return the image in its window, its occluded share, that of each region, and its head share.

        `behind` (4, rows, columns) is linear colour and coverage between the head and the backdrop.
        """
        light = lamp(recipe.light, scene.tint, recipe.seed)
        base = self._rasterize(scene.parts, scene, frame)
        head_share = np.nan
        if frame.pixels == frame.side**2:
            part_of = torch.from_numpy(base.mesh.face_part).to(self.device).index_select(0, base.face)
            is_head = torch.tensor([p.name in ("head", "hair", "ear", "bun") for p in base.parts], device=self.device)
            head_share = float(is_head.index_select(0, part_of).sum()) / frame.side**2

        # planes of linear colour and coverage, in the layout of the later reduction
        canvas = torch.zeros(4, frame.pixels, device=self.device)
        self._shade(canvas, base, texture, scene, light, recipe)
        occluded, regions = 0.0, np.zeros(len(REGIONS), np.float32)
        if scene.occluder:
            layer = self._rasterize(scene.occluder, scene, frame)
            depth = torch.full((frame.pixels,), torch.inf, device=self.device)
            depth[base.pixel] = base.depth
            wins = layer.depth < depth[layer.pixel]
            layer = _Layer(
                layer.pixel[wins], layer.depth[wins], layer.face[wins], layer.bary[:, wins], layer.mesh, layer.parts
            )
            covered = torch.zeros(frame.pixels, dtype=torch.bool, device=self.device)
            covered[layer.pixel[_hiding(layer)]] = True
            occluded, regions = _hidden(base, assets, covered[base.pixel])
            self._shade(canvas, layer, texture, scene, light, recipe)
        image = self._composite(canvas, scene, light, recipe, frame, behind)
        return image, occluded, regions, head_share

    def _second_person(self, identity: Identity, scene: Scene, recipe: Recipe, frame: Frame) -> Tensor | None:
        """Return linear colour and coverage (4, rows, columns) of the other person beside; None for a shot without.

        It is the same person in all photographs of an identity.
        """
        if recipe.shot is None or not recipe.shot.second_face:
            return None
        person = sample_identity(derive_seed(identity.seed, "face3d", "second face"))
        assets, texture = self._assets(person)
        seed = derive_seed(recipe.seed, "face3d", "second face")
        yaw, pitch = generator(seed).uniform((-30, -8), (30, 8))
        own = Recipe(kind="reference", seed=seed, pose=Pose(yaw=float(yaw), pitch=float(pitch)), light=recipe.light)
        other = beside(scene, recipe, compose_scene(person, assets, own))
        canvas = torch.zeros(4, frame.pixels, device=self.device)
        layer = self._rasterize(other.parts, other, frame)
        self._shade(canvas, layer, texture, other, lamp(own.light, scene.tint, recipe.seed), own)
        return _reduced(canvas, frame)

    def _rasterize(self, parts: list[Part], scene: Scene, frame: Frame) -> _Layer:
        mesh = assemble(parts)
        hat = any(part.name in HEADWEAR for part in (*scene.parts, *scene.occluder))
        cast = min(1.0, max(2.0 * (scene.harshness - _SHADOWLESS), _HAT_SHADE if hat else 0.0))
        if cast > 0:
            casters = [p for p in (*scene.parts, *scene.occluder) if p.name in ("head", "hair", *HEADWEAR)]
            # only double-sided faces are visible when all their corners face away
            seen = np.flatnonzero((mesh.attributes[2] > _HIDDEN_NORMAL) | mesh.thin)
            lit = visibility(casters, mesh.verts[seen], scene.light_direction)
            mesh.attributes[8, seen] = 1 - cast * (1 - lit)
        screen = scene.camera.normalised(mesh.verts)
        hits = rasterize_hits(
            torch.from_numpy(screen).to(self.device)[None],
            torch.from_numpy(mesh.faces).to(self.device),
            frame.side,
            frame.side,
            cull_backfaces=torch.from_numpy(~mesh.double_sided).to(self.device),
            window=frame.part,
        )
        return _Layer(hits.pixel, hits.depth, hits.face, hits.bary, mesh, parts)

    def _shade(self, canvas: Tensor, layer: _Layer, texture: Tensor, scene: Scene, light: Lamp, recipe: Recipe) -> None:
        """Draw the layer's pixels into the canvas (4, rows * columns), material by material."""
        vertex = torch.from_numpy(layer.mesh.attributes).to(self.device)
        corners = torch.from_numpy(layer.mesh.faces.T).to(self.device)
        of_part = torch.from_numpy(layer.mesh.face_part).to(self.device).index_select(0, layer.face)

        def of_pixels(values: list[float], places: Tensor) -> Tensor:
            return torch.tensor(values, device=self.device).index_select(0, of_part.index_select(0, places))

        kinds = torch.tensor([float(p.material) for p in layer.parts], device=self.device).index_select(0, of_part)
        for material in sorted({p.material for p in layer.parts}):
            places = positive(0.5 - (kinds - float(material)).abs())
            if not places.numel():
                continue
            face, bary = layer.face.index_select(0, places), layer.bary.index_select(1, places)
            corner = [c.index_select(0, face) for c in corners]
            a = _mixed([vertex[row] for row in _ATTRIBUTE_ROWS[material]], corner, bary)
            pixel = layer.pixel.index_select(0, places)
            if material == Material.GLARE:
                # Coverage and light of the frame's planes add up alike, as both are weighted by opacity.
                bright = (light.key + light.ambient + light.fill) * a[4:7]
                through = 1 - a[7]
                canvas.index_copy_(
                    1,
                    pixel,
                    canvas.index_select(1, pixel) * through + a[7] * torch.cat((bright, torch.ones_like(a[7:]))),
                )
                continue
            normal, reach = unit(a[:3]), a[3]
            flip = None
            if any(p.double_sided for p in layer.parts if p.material == material):
                # 1 where the inner side is visible
                flip = of_pixels([float(p.double_sided) for p in layer.parts], places)
                flip = (-normal[2]).sign_().mul_(flip).clamp_(min=0)
                normal = normal * (1 - 2 * flip)
            if material == Material.PLAIN:
                lit = shade(a[4:7], normal, of_pixels([p.gloss for p in layer.parts], places), reach, light)
            else:
                uv = a[4:6].T.contiguous()
                t = functional.grid_sample(texture, uv[None, None], align_corners=True)[0, :, 0]
                hairy = material == Material.HAIR
                albedo, gloss = _surface(t, hairy, scene, recipe)
                lit = shade(albedo, normal, gloss, reach, light)
                if hairy:
                    strands = positive(t[8] - _HAIR_OPACITY)
                    if flip is not None:
                        albedo = albedo * (1 - 0.55 * flip)  # the inner side of hanging hair is shaded
                    of_hair = (v.index_select(-1, strands) for v in (albedo, normal, a[6:9], gloss, reach))
                    colour, facing, strand, glow, reached = of_hair
                    shone = shade_hair(colour, facing, strand, glow, reached, light, scene.gleam)
                    lit.index_copy_(1, strands, shone)
            canvas[:3].index_copy_(1, pixel, lit)
            canvas[3].index_fill_(0, pixel, 1.0)

    def _composite(
        self, canvas: Tensor, scene: Scene, light: Lamp, recipe: Recipe, frame: Frame, behind: Tensor | None
    ) -> np.ndarray:
        """Return the developed uint8 image: antialiased reduction of the drawn layers over the backdrop."""
        small = _reduced(canvas, frame)
        if behind is not None:
            # Premultiplied layers: the nearer one lets through what it does not cover.
            small = small + (1 - small[3]).clamp(0, 1) * behind
        painted = paint_background(recipe.background, scene.rng, frame.size, frame.window)
        backdrop = torch.from_numpy(painted).to(self.device)
        level = backdrop_level(recipe.light)
        linear = small[:3] + (1 - small[3]).clamp(0, 1) * level * backdrop.permute(2, 0, 1)
        return develop(linear, light).permute(1, 2, 0).contiguous().cpu().numpy()


def _mixed(rows: list[Tensor], corner: list[Tensor], bary: Tensor) -> Tensor:
    """Return attributes (R, P) of points by rows (V,) of the vertices, three corners (P,) and their weights (3, P)."""
    out = bary.new_empty((len(rows), bary.shape[1]))
    weights = bary.unbind()
    for row, mixed in zip(rows, out, strict=True):
        first, second, third = (row.index_select(0, c).mul_(w) for c, w in zip(corner, weights, strict=True))
        torch.add(first.add_(second), third, out=mixed)
    return out


def _reduced(canvas: Tensor, frame: Frame) -> Tensor:
    """Return the window (4, rows, columns) of a supersampled canvas at the size of the image, antialiased."""
    planes = canvas.view(4, *frame.shape)
    left, top, right, bottom = frame.wide
    if frame.side != frame.size:
        size = bottom - top, right - left
        planes = functional.interpolate(planes[None], size, mode="bilinear", antialias=True)[0]
    rows, columns = inside(frame.window, frame.wide)
    return planes[:, rows, columns]


def _face_corners(scene: Scene, assets: Assets) -> np.ndarray:
    """Return points (K, 3) of the head's surface around all that belongs to a region of the face."""
    head = next(part for part in scene.parts if part.name == "head")
    of_face = assets.regions >= 0
    rows, columns = np.flatnonzero(of_face.any(1)), np.flatnonzero(of_face.any(0))
    return head.grid[rows[0] : rows[-1] + 2, columns[0] : columns[-1] + 2].reshape(-1, 3)


def _hiding(layer: _Layer) -> Tensor:
    """Return the places (Q,) of a layer's pixels that hide what lies behind them: all but weak glare."""
    glows = [part.material == Material.GLARE for part in layer.parts]
    if not any(glows):
        return torch.arange(len(layer.pixel), device=layer.pixel.device)
    of_part = torch.from_numpy(layer.mesh.face_part).to(layer.face.device).index_select(0, layer.face)
    clear = torch.tensor(glows, device=layer.face.device).index_select(0, of_part)
    opacity = torch.from_numpy(layer.mesh.attributes[3]).to(layer.face.device)
    corners = torch.from_numpy(layer.mesh.faces.T).to(layer.face.device)
    weights = zip(corners, layer.bary, strict=True)
    mixed = torch.stack([opacity[corner.index_select(0, layer.face)] * weight for corner, weight in weights]).sum(0)
    return torch.nonzero(~clear | (mixed >= _HIDES))[:, 0]


def _hidden(base: _Layer, assets: Assets, covered: Tensor) -> tuple[float, np.ndarray]:
    """Return the covered share of the visible face skin and of each region's, by pixels of the base layer (P,)."""
    face = base.face.cpu().numpy()
    head = next(i for i, part in enumerate(base.parts) if part.name == "head")
    skin = base.mesh.face_part[face] == head
    region = assets.regions.ravel()[base.mesh.face_quad[face[skin]]].astype(np.int64) + 1
    visible = np.bincount(region, minlength=len(REGIONS) + 1)[1:]
    hidden = np.bincount(region[covered.cpu().numpy()[skin]], minlength=len(REGIONS) + 1)[1:]
    shares = np.where(visible > 0, hidden / np.maximum(visible, 1), np.nan)
    return float(hidden.sum() / max(1, visible.sum())), shares.astype(np.float32)


def _surface(t: Tensor, hairy: bool, scene: Scene, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Return albedo (3, P) and gloss (P,) from texture samples (CHANNELS, P) of skin, or of the hair's shell."""
    skin = _with_lids(_with_iris(t, scene, recipe), t, lid_level(recipe.expression, recipe.gaze))
    hair = torch.tensor(scene.hair_colour, device=t.device)[:, None] * t[9]
    facial = torch.tensor(scene.facial_hair_colour, device=t.device)[:, None] * (0.55 + 0.45 * t[9])
    skin = skin + t[7] * (facial - skin)
    opacity = torch.clamp(t[8] * 2.4, max=1.0) if hairy else t[8]
    albedo = skin + opacity * (hair - skin)
    gloss = t[10] * (1 - opacity) + 0.3 * opacity
    if hairy:
        gloss = torch.where(t[8] > _HAIR_OPACITY, t[9], gloss)  # the strands' brightness
    return albedo, gloss


def _with_iris(t: Tensor, scene: Scene, recipe: Recipe) -> Tensor:
    """Return the skin (3, P) with iris, pupil and catch-light on the eyeballs, at the gaze direction."""
    skin = t[0:3]
    ball = positive(t[11] - 0.02)
    if not ball.numel():
        return skin
    gaze = recipe.gaze
    right, up = _EYEBALL * np.sin(np.radians(gaze.yaw)), _EYEBALL * np.sin(np.radians(gaze.pitch))
    dx, dy = t[12, ball], t[13, ball] - 0.004
    radius = float(scene.iris[3])
    r = torch.sqrt((dx - right) ** 2 + (dy - up) ** 2) / radius
    colour = torch.from_numpy(scene.iris[:3]).to(t.device)[:, None]
    white = skin.index_select(1, ball)
    # The lids' shadow on the ball applies to the iris too.
    lit = white / torch.tensor(_SCLERA_LINEAR, device=t.device)[:, None]
    limbus = 1 - 0.65 * ((r - 0.7) / 0.3).clamp(0, 1)
    pupil = ((0.46 - r) / 0.12 + 0.5).clamp(0, 1)
    iris = colour * (0.75 + 0.6 * r) * limbus * (1 - 0.95 * pupil) * lit
    cover = ((1 - r) / 0.16 + 0.5).clamp(0, 1) * t[11, ball]
    eye = white + cover * (iris - white)
    lx, ly, _ = scene.light_direction
    glint = torch.exp(
        -(((dx - right * 0.5 - 0.034 * lx) / 0.013) ** 2) - ((dy - up * 0.5 - 0.012 - 0.03 * ly) / 0.013) ** 2
    )
    eye = eye + 0.75 * glint * t[11, ball] * (0.9 - eye)
    return skin.clone().index_copy_(1, ball, eye)


def _with_lids(skin: Tensor, t: Tensor, level: float) -> Tensor:
    """Return the skin (3, P) with the upper lids down by a level 0..1."""
    near = positive(1.9 - t[6])  # the value 2 marks texels that lids never cover
    if level <= 0 or not near.numel():
        return skin
    lid, open_, closed = t[6].index_select(0, near), skin.index_select(1, near), t[3:6].index_select(1, near)
    shut = ((level * 1.06 - lid) / 0.06).clamp(0, 1)
    # half-shut lids end in a dark lash line
    edge = torch.exp(-(((lid - level) / 0.16) ** 2)) * (4 * lid * (1 - lid)).clamp(min=0)
    return skin.clone().index_copy_(1, near, (open_ + shut * (closed - open_)) * (1 - 0.8 * edge))
