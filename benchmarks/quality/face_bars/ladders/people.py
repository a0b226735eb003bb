"""People of the bars: identities and recipes under a seed path of their own."""

import hashlib
from pathlib import Path

import synfiqa.actors.degradation.capture_sampler
import synfiqa.actors.degradation.degrade
import synfiqa.actors.degradation.draws
import synfiqa.actors.degradation.misalignment
import synfiqa.actors.degradation.operators
import synfiqa.actors.degradation.recipe_sampler
import synfiqa.actors.face3d
import synfiqa.actors.imaging.alignment
import synfiqa.fiqa_train.labels.severities
import synfiqa.schemas.factors
import synfiqa.schemas.recipe
from synfiqa.actors.degradation.recipe_sampler import reference_recipes
from synfiqa.actors.face3d import Identity, sample_identity
from synfiqa.schemas.recipe import Expression, Pose, Recipe
from synfiqa.schemas.seeds import derive_seed

REFERENCES = 4
"""Number of references of an identity, the default of a run."""

USUAL_DISTANCE = 6.0
"""Distance of the camera in head heights at the clean end of ladders."""


def identity_seed(seed: int, number: int) -> int:
    """Return the seed of the number-th identity."""
    return derive_seed(seed, "face-bars", "identity", number)


def person(seed: int, number: int) -> Identity:
    """Return the number-th identity, without glasses of its own, as in the samples of a run."""
    return sample_identity(identity_seed(seed, number)).without_glasses()


def references(seed: int, number: int, count: int = REFERENCES) -> list[Recipe]:
    """Return the first reference recipes of the number-th identity."""
    return reference_recipes(derive_seed(seed, "face-bars", "recipes"), number, count, "corrected")


def base_recipe(seed: int, number: int) -> Recipe:
    """Return the recipe at the clean end of the number-th identity's ladders: a further reference, cleaned."""
    return cleaned(references(seed, number, REFERENCES + 1)[-1])


def cleaned(reference: Recipe) -> Recipe:
    """Return a reference's recipe as that of a degraded sample: pose and expression exactly zero, JPEG quality 95.

    The camera is at `USUAL_DISTANCE`, so that a single factor varies along a ladder.
    """
    change = {"kind": "degraded", "jpeg_quality": 95, "pose": Pose(), "expression": Expression()}
    change |= {"camera_distance": USUAL_DISTANCE}
    return reference.model_copy(update=change)


def drawing_digest() -> str:
    """Return a short digest of the code that draws faces and computes their columns, part of the names of caches."""
    files = [Path(module.__file__) for module in _DRAWING if module.__file__]
    files += Path(synfiqa.actors.face3d.__file__).parent.glob("*.py")
    files += Path(synfiqa.schemas.factors.__file__).parent.glob("*.py")
    files += [Path(__file__).with_name(f"{name}.py") for name in ("people", "factors", "crop_changes", "ladder_set")]
    content = hashlib.sha256()
    for file in sorted(files):
        content.update(file.name.encode() + b"\0" + file.read_bytes())
    return content.hexdigest()[:12]


_DRAWING = (
    *(
        synfiqa.actors.imaging.alignment,
        synfiqa.actors.degradation.capture_sampler,
        synfiqa.actors.degradation.degrade,
        synfiqa.actors.degradation.draws,
        synfiqa.actors.degradation.misalignment,
    ),
    *(
        synfiqa.actors.degradation.operators,
        synfiqa.actors.degradation.recipe_sampler,
        synfiqa.fiqa_train.labels.severities,
        synfiqa.schemas.recipe,
    ),
)
