"""Bars of the rasteriser: exactness against a double-precision loop, and CPU time on one core.

Heads are composed by the renderer, with clothes and falling hair, one picture a call. The scalp under the hair, which
the renderer leaves out, is drawn too, because the bar is for some 14,000 faces.
"""

import time
from dataclasses import replace

import numpy as np
import torch

from benchmarks.quality.face_bars import double_precision
from benchmarks.quality.face_bars.bar import Bar
from benchmarks.quality.face_bars.ladders.people import base_recipe, person
from benchmarks.quality.face_bars.settings import Settings
from synfiqa.actors.face3d.render.assets import build_assets
from synfiqa.actors.face3d.render.rasterizer import rasterize
from synfiqa.actors.face3d.render.scene import compose_scene
from synfiqa.actors.face3d.shape.mesh import assemble
from synfiqa.schemas.recipe import Pose

SUBJECT = "rasteriser"
YAWS = (0, 29, 57, 86)
LIMITS_MS = {112: 9.0, 256: 30.0}


def head(seed: int, number: int, yaw: float) -> tuple[np.ndarray, np.ndarray]:
    """Return screen vertices float32 (V, 3) and faces (F, 3) of a composed head turned by `yaw` degrees."""
    someone = person(seed, number).with_attributes(hair_style="wavy")
    recipe = base_recipe(seed, number).model_copy(update={"pose": Pose(yaw=yaw)})
    scene = compose_scene(someone, build_assets(someone), recipe)
    mesh = assemble([replace(part, keep=None) if part.name == "head" else part for part in scene.parts])
    return scene.camera.normalised(mesh.verts), mesh.faces


def mismatches(verts: np.ndarray, faces: np.ndarray, size: int) -> tuple[int, int, float, float]:
    """Count pixels that differ in coverage and in the face; return both, the share of the latter and the largest |dz|.

    The share is of the pixels that both cover, the depth difference of those that agree on the face.
    """
    drawn = rasterize(torch.from_numpy(verts)[None], torch.from_numpy(faces), size, size)
    ours, depth = drawn.pix_to_face[0, :, :, 0].numpy(), drawn.zbuf[0, :, :, 0].numpy()
    exact, exact_depth, _ = double_precision.draw(verts, faces, size, size)
    both = (ours >= 0) & (exact >= 0)
    wrong = both & (ours != exact)
    agree = both & ~wrong
    apart = float(np.abs(depth - exact_depth)[agree].max(initial=0.0))
    return int(((ours >= 0) != (exact >= 0)).sum()), int(wrong.sum()), float(wrong.sum() / max(1, both.sum())), apart


def milliseconds(verts: np.ndarray, faces: np.ndarray, size: int, repeats: int, front_only: bool = False) -> float:
    """Return the median CPU milliseconds of one picture, one thread; `front_only` drops back faces first."""
    mesh, index = torch.from_numpy(verts)[None], torch.from_numpy(faces)
    took = []
    with torch.inference_mode():
        rasterize(mesh, index, size, size, front_only)
        for _ in range(repeats):
            start = time.process_time()
            rasterize(mesh, index, size, size, front_only)
            took.append(time.process_time() - start)
    return 1000 * float(np.median(took))


def measure(settings: Settings) -> list[Bar]:
    """Measure exactness over four poses at both sizes, and milliseconds as the median over poses."""
    torch.set_num_threads(1)
    heads = [head(settings.seed, 0, yaw) for yaw in YAWS]
    size_of_mesh = f"{len(heads[0][0])} vertices, {len(heads[0][1])} faces, yaw {', '.join(map(str, YAWS))}"
    compared = [mismatches(*mesh, size) for mesh in heads for size in LIMITS_MS]
    bars = [
        Bar(SUBJECT, "pixels covered by one of both only", sum(c[0] for c in compared), 0, note=size_of_mesh),
        Bar(SUBJECT, "largest share of pixels with another face", max(c[2] for c in compared), 1e-4),
        Bar(SUBJECT, "largest difference in depth", max(c[3] for c in compared), unit="head units"),
    ]
    for size, limit in LIMITS_MS.items():
        each = [milliseconds(*mesh, size, settings.repeats) for mesh in heads]
        front = np.median([milliseconds(*mesh, size, settings.repeats, front_only=True) for mesh in heads])
        poses = ", ".join(f"{value:.1f}" for value in each)
        note = f"CPU, one thread; by pose {poses}; without back faces {front:.1f}"
        bars.append(Bar(SUBJECT, f"a picture of {size} px", float(np.median(each)), limit, unit="ms", note=note))
    return bars
