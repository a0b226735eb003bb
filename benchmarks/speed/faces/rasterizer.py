"""Measure the rasteriser's pictures a second and core at 512 x 512, on a mesh of FLAME's size, against two loops.

`uv run python -m benchmarks.speed.faces.rasterizer` prints them. One thread. The loops:

- over pixels, each tested against all 9,976 triangles, as PyTorch3D does on a CPU (there in C++, here one vector
  operation over the triangles): timed on random pixels and scaled to all, as every pixel costs the same;
- over triangles, each tested against the pixels of its box: timed on one whole picture.

Both are compared with the rasteriser on their pixels. `--map` also times whole control maps.
"""

import argparse
import time

import numpy as np
import torch
from torch import Tensor

from synfiqa.actors.degradation.recipe_sampler import degraded_recipes
from synfiqa.actors.face3d.render.rasterizer import Fragments, rasterize
from synfiqa.actors.face3d.shape.identity import sample_identity
from synfiqa.actors.generation.conditional.parametric_bank import template_of
from synfiqa.actors.generation.conditional.template_bank import conditions_of
from synfiqa.actors.generation.face_model.camera import FRAME, to_crop, to_frame
from synfiqa.actors.generation.face_model.control_map import ControlMaps
from synfiqa.actors.generation.face_model.flame_random import random_model
from synfiqa.actors.generation.face_model.parameters import FaceParameters
from synfiqa.actors.generation.face_model.procedural import ProceduralFaceModel, code_of
from synfiqa.actors.generation.face_model.renderer import TorchRenderer
from synfiqa.schemas.config.generate import DegradedSection


def scene(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return screen vertices (N, 5023, 3) of a head-sized ball under drawn cameras and head poses, and its faces."""
    model = random_model(seed)
    recipes = degraded_recipes(seed, 0, count, DegradedSection(), "corrected")
    shown = conditions_of([template_of(recipe, "", "flame") for recipe in recipes])
    vertices = torch.from_numpy(model["v_template"])[None].expand(count, -1, -1)
    return to_frame(to_crop(vertices, shown.camera), shown.tform), torch.from_numpy(model["f"].astype(np.int64))


def barycentrics(corners: Tensor, x: Tensor | float, y: Tensor | float) -> Tensor:
    """Return the weights (3, ...) of points in triangles, both broadcast; corners are (..., 3, 3)."""

    def edge(a: int, b: int) -> Tensor:
        ax, ay, bx, by = corners[..., a, 0], corners[..., a, 1], corners[..., b, 0], corners[..., b, 1]
        return (x - ax) * (by - ay) - (y - ay) * (bx - ax)

    first, second, third = edge(1, 2), edge(2, 0), edge(0, 1)
    x2, y2 = corners[..., 2, 0], corners[..., 2, 1]
    ax, ay, bx, by = corners[..., 0, 0], corners[..., 0, 1], corners[..., 1, 0], corners[..., 1, 1]
    area = (x2 - ax) * (by - ay) - (y2 - ay) * (bx - ax) + 1e-8
    return torch.stack([first, second, third]) / area


def loop_over_pixels(screen: Tensor, faces: Tensor, size: int, pixels: np.ndarray) -> np.ndarray:
    """Return the nearest triangle of each of the flat pixels, or -1."""
    corners = screen[faces]
    z = corners[..., 2].T
    found = np.full(len(pixels), -1)
    for index, pixel in enumerate(pixels):
        weights = barycentrics(corners, (2 * (pixel % size) + 1) / size - 1, (2 * (pixel // size) + 1) / size - 1)
        depth = torch.where((weights > 0).all(0), (weights * z).sum(0), torch.inf)
        nearest = int(depth.argmin())
        if depth[nearest] < torch.inf:
            found[index] = nearest
    return found


def loop_over_triangles(screen: Tensor, faces: Tensor, size: int) -> np.ndarray:
    """Return the nearest triangle of every pixel (size, size), or -1."""
    nearest, depths = torch.full((size, size), -1), torch.full((size, size), torch.inf)
    centres = (2 * torch.arange(size) + 1) / size - 1
    for index, corners in enumerate(screen[faces]):
        low, high = corners[:, :2].amin(0), corners[:, :2].amax(0)
        first = ((low + 1) * size / 2 - 1).long().clamp(0, size)
        last = ((high + 1) * size / 2 + 1).long().clamp(0, size)
        columns, rows = slice(int(first[0]), int(last[0])), slice(int(first[1]), int(last[1]))
        weights = barycentrics(corners, centres[None, columns], centres[rows, None])
        depth = (weights * corners[:, 2, None, None]).sum(0)
        wins = (weights > 0).all(0) & (depth < depths[rows, columns])
        depths[rows, columns] = torch.where(wins, depth, depths[rows, columns])
        nearest[rows, columns] = torch.where(wins, index, nearest[rows, columns])
    return nearest.numpy()


def measured(screen: Tensor, faces: Tensor, size: int, rounds: int) -> tuple[Fragments, float]:
    """Return the rasteriser's fragments, and the median of its seconds a picture."""
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        fragments = rasterize(screen, faces, size, size)
        took.append((time.perf_counter() - start) / len(screen))
    return fragments, float(np.median(took))


def control_maps(count: int, size: int) -> float:
    """Measure seconds per control map of the procedural head, one identity under drawn conditions."""
    shape, texture = (torch.from_numpy(code)[None] for code in code_of(sample_identity(1)))
    recipes = degraded_recipes(0, 0, count, DegradedSection(), "corrected")
    shown = conditions_of([template_of(recipe, "", "procedural") for recipe in recipes])
    kept = {name: getattr(shown, name)[:1] for name in ("expression", "pose", "camera", "light", "tform")}
    person = FaceParameters(shape=shape, texture=texture, **kept)
    maps = ControlMaps(ProceduralFaceModel(), TorchRenderer(), size)
    maps.draw(person)
    start = time.perf_counter()
    maps.draw(person.replaced_by(shown))
    return (time.perf_counter() - start) / count


def main() -> None:
    """Measure, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=FRAME)
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pixels", type=int, default=2000, help="number of pixels in the loop over pixels")
    parser.add_argument("--map", action="store_true", help="also time control maps of the procedural head")
    options = parser.parse_args()
    torch.set_num_threads(1)
    size, (screen, faces) = options.size, scene(options.batch)

    fragments, ours = measured(screen, faces, size, options.rounds)
    drawn = fragments.pix_to_face[0, :, :, 0].numpy()
    pixels = np.random.default_rng(0).integers(0, size * size, options.pixels)
    start = time.perf_counter()
    by_pixel = loop_over_pixels(screen[0], faces, size, pixels)
    slow = (time.perf_counter() - start) * size * size / len(pixels)
    start = time.perf_counter()
    by_triangle = loop_over_triangles(screen[0], faces, size)
    boxes = time.perf_counter() - start

    print(f"{len(faces)} triangles, {size} x {size}, batch {options.batch}, one thread, torch {torch.__version__}")
    print(f"{'rasteriser':<28}{1 / ours:>10.3f} pictures/s")
    for name, seconds, apart in (
        ("loop over pixels (scaled)", slow, (by_pixel != drawn.ravel()[pixels]).mean()),
        ("loop over triangles", boxes, (by_triangle != drawn).mean()),
    ):
        print(
            f"{name:<28}{1 / seconds:>10.3f} pictures/s {seconds / ours:>8.1f} x slower, {apart:.1e} of pixels differ"
        )
    if options.map:
        print(f"{'control maps, procedural':<28}{1 / control_maps(options.batch, size):>10.3f} maps/s")


if __name__ == "__main__":
    main()
