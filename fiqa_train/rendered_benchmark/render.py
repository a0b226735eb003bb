"""Rendering of the images of one identity, and the version of the faces."""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from synfiqa.actors.degradation.degrade import clean_crop_and_degrade, portrait_recipe
from synfiqa.actors.generation.conditional.procedural import ProceduralConditionalGenerator
from synfiqa.actors.imaging.codec import encode_jpeg
from synfiqa.actors.roles import IdentitySource, Portraits
from synfiqa.cluster.run.fingerprint import RECIPE_VERSION
from synfiqa.fiqa_train.rendered_benchmark.operators import Operator, apply
from synfiqa.fiqa_train.rendered_benchmark.plan import Frame, Settings, frames, identity_seed
from synfiqa.schemas.recipe import Light, Pose, Recipe
from synfiqa.schemas.rows import SAMPLES, recipe_to_row

PORTRAIT_SIZE = 128
"""Side in pixels of the pictures from which crops are aligned."""

_COMMANDED = [SAMPLES.field(name) for name in recipe_to_row(Recipe(kind="degraded", seed=0)) if name != "kind"]

IMAGES = pa.schema(
    [
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("identity", pa.int64()),
        ("identity_seed", pa.int64()),
        ("role", pa.string()),
        ("factor", pa.string()),
        ("step", pa.int32()),
        ("level", pa.float32()),
        ("occluded_fraction", pa.float32()),
        ("blur_sigma", pa.float32()),
        ("resolution", pa.int32()),
        ("noise_sigma", pa.float32()),
        *_COMMANDED,
    ]
)
"""One row an image: path, role, factor, and the recipe in the columns of a run's samples."""


def render_identity(settings: Settings, number: int) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield the row and the JPEG file of each image of one identity, in the order of `frames`."""
    plan = frames(settings, number)
    seed = identity_seed(settings.seed, number)
    for frame, crop, occluded in _crops(seed, plan):
        data = encode_jpeg(apply(frame.operator, crop, frame.recipe.seed), frame.recipe.jpeg_quality)
        row = {
            **recipe_to_row(frame.recipe),
            **asdict(frame.operator),
            "path": frame.path,
            "sha256": hashlib.sha256(data).hexdigest(),
            "identity": number,
            "identity_seed": seed,
            "role": frame.role,
            "factor": frame.factor,
            "step": frame.step,
            "level": frame.level,
            "occluded_fraction": occluded,
        }
        yield row, data


def faces_version() -> dict[str, Any]:
    """Return the version of the rendered faces: that of recipes, and the digest of one small aligned face."""
    # The digest detects a changed face model with an unchanged version, and another class of hardware.
    recipe = Recipe(kind="degraded", seed=1, pose=Pose(yaw=25), light=Light(azimuth=40), occluder="glasses")
    ((_, crop, _),) = _crops(1, [Frame("", "probe", "", 0, None, recipe, Operator())])
    return {"recipe_version": RECIPE_VERSION, "face_sha256": hashlib.sha256(crop.tobytes()).hexdigest()}


def _crops(seed: int, plan: list[Frame]) -> Iterator[tuple[Frame, np.ndarray, float]]:
    """Yield each frame, its crop uint8 RGB (112, 112, 3) before the operator, and the occluded share of the face."""
    source = IdentitySource(identity=0, seed=seed, attributes={}, image=np.empty((0, 0, 3), np.uint8))
    generator = ProceduralConditionalGenerator(PORTRAIT_SIZE)
    rendered: dict[Recipe, Portraits] = {}
    for frame in plan:
        # Frames that differ in the crop alone share one rendering.
        drawn = portrait_recipe(frame.recipe)
        if drawn not in rendered:
            rendered[drawn] = generator.generate(source, [drawn])
        shown = rendered[drawn]
        face = clean_crop_and_degrade(shown.images[0], shown.landmarks[0], frame.recipe)
        yield frame, face.image, float(shown.occluded_fraction[0])
