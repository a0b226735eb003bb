"""CPU time of the embedded faces: an image from recipe to JPEG, and the rasteriser on a whole head, on one core.

`uv run python -m benchmarks.face_cost --identities 8` prints both, and how many pixels of the head differ from a loop
over its triangles in double precision. CPU time, not wall time: neighbours on the machine matter less.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import torch
from torch import Tensor

from actors.degradation import clean_crop_and_degrade
from actors.face3d import sample_identity
from actors.face3d.assets import build_assets
from actors.face3d.mesh import assemble
from actors.face3d.rasterizer import rasterize
from actors.face3d.scene import compose_scene
from actors.imaging import encode_jpeg
from actors.procedural import ProceduralConditionalGenerator
from actors.recipe_sampler import identity_recipes
from actors.roles import IdentitySource
from benchmarks.rasterizer import every_triangle_asks
from schemas.config import GenerateSection
from schemas.recipe import Pose, Recipe


def sample_costs(seeds: range) -> np.ndarray:
    """Return CPU-ms per image (N, 3) of each identity: picture with its texture, crop and degradation, JPEG."""
    settings = GenerateSection()
    model = ProceduralConditionalGenerator(settings.portrait_size)
    costs = []
    for seed in seeds:
        recipes = identity_recipes(0, seed, settings)
        source = IdentitySource(identity=str(seed), seed=seed, attributes={}, image=np.zeros((1, 1, 3), np.uint8))
        clock = [time.process_time()]
        made = [
            (image, points)
            for start in range(0, len(recipes), settings.micro_batch)
            for drawn in [model.generate(source, recipes[start : start + settings.micro_batch])]
            for image, points in zip(drawn.images, drawn.landmarks, strict=True)
        ]
        clock.append(time.process_time())
        crops = [clean_crop_and_degrade(*pair, recipe).image for pair, recipe in zip(made, recipes, strict=True)]
        clock.append(time.process_time())
        for crop, recipe in zip(crops, recipes, strict=True):
            encode_jpeg(crop, recipe.jpeg_quality)
        clock.append(time.process_time())
        costs.append(np.diff(clock) * 1000 / len(recipes))
    return np.array(costs)


def head(yaw: float, faces: int) -> tuple[Tensor, Tensor]:
    """Return screen vertices (1, V, 3) of a turned head with hair and clothes, and its first faces, none culled."""
    person = sample_identity(4).with_attributes(hair_style="bun")
    scene = compose_scene(person, build_assets(person), Recipe(kind="reference", seed=5, pose=Pose(yaw=yaw)))
    mesh = assemble([replace(part, keep=None) for part in scene.parts])
    screen = torch.from_numpy(scene.camera.normalised(mesh.verts))[None]
    return screen, torch.from_numpy(np.ascontiguousarray(mesh.faces[:faces].T)).T


def raster_cost(draw: Callable[[], object], rounds: int = 15) -> float:
    """Return the smallest CPU-ms of some rounds."""
    took = []
    for _ in range(rounds):
        start = time.process_time()
        draw()
        took.append(time.process_time() - start)
    return 1000 * min(took)


@torch.inference_mode()
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identities", type=int, default=8)
    parser.add_argument("--faces", type=int, default=14000, help="of the head that is rasterised")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    sample_costs(range(1000, 1001))  # tables that a process makes once
    costs = sample_costs(range(options.identities))
    for name, cost in zip(("picture", "crop and degradation", "JPEG"), costs.mean(0), strict=True):
        print(f"{name:<28}{cost:>8.2f} CPU-ms per image")
    print(f"{'all-in (bar 30)':<28}{np.median(costs.sum(1)):>8.2f} CPU-ms per image, median of {len(costs)} identities")
    for size, bar in ((112, 9), (256, 30)):
        cost, apart, covered = [], 0, 0
        for yaw in (0, 29, 57, 86):
            screen, faces = head(yaw, options.faces)
            cost.append(raster_cost(lambda s=screen, f=faces, n=size: rasterize(s, f, n, n)))
            drawn = rasterize(screen, faces, size, size).pix_to_face[0, :, :, 0].numpy()
            exact = every_triangle_asks(screen[0].double(), faces, size)
            apart += int((drawn != exact).sum())
            covered += int(((drawn >= 0) != (exact >= 0)).sum())
        print(
            f"{f'rasteriser {size} px (bar {bar})':<28}{np.mean(cost):>8.2f} CPU-ms, {len(faces)} faces; "
            f"{apart} pixels differ from double precision, {covered} of them in coverage"
        )


if __name__ == "__main__":
    main()
