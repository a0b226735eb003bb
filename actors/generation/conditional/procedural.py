"""The embedded backends: identities and samples from the procedural 3D head, no download, exact ground truth."""

from collections.abc import Sequence
from functools import cache

from synfiqa.actors.degradation.recipe_sampler import candidate_recipe
from synfiqa.actors.device import worker_device
from synfiqa.actors.face3d import HeadRenderer, sample_identity
from synfiqa.actors.face3d.shape.identity import BALANCED
from synfiqa.actors.roles import Candidate, ConditionalGenerator, IdentityGenerator, IdentitySource, Portraits
from synfiqa.schemas.recipe import Recipe


class ProceduralIdentityGenerator:
    """Random heads in random near-frontal poses, some smiling, some with glasses: what a filter must sort."""

    def __init__(self, portrait_size: int, device: str = "cpu", skin_tones: Sequence[float] = BALANCED) -> None:
        self._size = portrait_size
        self._skin_tones = tuple(skin_tones)
        self._renderer = HeadRenderer(device)

    def generate(self, seeds: Sequence[int]) -> list[Candidate]:
        """Return one portrait per seed; the seed alone decides the head, its pose and its light."""
        return [self._one(seed) for seed in seeds]

    def _one(self, seed: int) -> Candidate:
        identity, recipe = sample_identity(seed, self._skin_tones), candidate_recipe(seed)
        rendered = self._renderer.render(identity, [recipe], self._size)
        commanded = {
            "yaw": recipe.pose.yaw,
            "expression": recipe.expression.intensity,
            **identity.attributes,
        }
        return Candidate(image=rendered.images[0], attributes=commanded)


class ProceduralConditionalGenerator:
    """Renders the head of an accepted seed under each recipe; the landmarks are the true projected ones."""

    def __init__(self, portrait_size: int, device: str = "cpu") -> None:
        self._size = portrait_size
        self._renderer = HeadRenderer(device)

    def generate(self, source: IdentitySource, recipes: Sequence[Recipe]) -> Portraits:
        """Return one clean portrait per recipe. Own glasses are off: a recipe commands every occluder."""
        # The accepted tone in place of the weights it was drawn with: all other draws stay as they were.
        tone = int(source.attributes.get("skin_tone", 0))
        weights = [float(tone == step) for step in range(1, 11)] if tone else BALANCED
        identity = sample_identity(source.seed, weights).without_glasses()
        rendered = self._renderer.render(identity, recipes, self._size)
        return Portraits(
            rendered.images,
            rendered.landmarks,
            rendered.occluded_fraction,
            occluded_regions=rendered.occluded_regions,
        )


@cache
def procedural_identities(portrait_size: int, skin_tones: tuple[float, ...]) -> IdentityGenerator:
    """Return the embedded generator of pseudo-identities (one instance per process and setting)."""
    from synfiqa.actors.generation.conditional.procedural import ProceduralIdentityGenerator

    return ProceduralIdentityGenerator(portrait_size, worker_device(), skin_tones)


@cache
def procedural_samples(portrait_size: int) -> ConditionalGenerator:
    """Return the embedded generator that shows a procedural identity under a recipe."""
    from synfiqa.actors.generation.conditional.procedural import ProceduralConditionalGenerator

    return ProceduralConditionalGenerator(portrait_size, worker_device())
