"""Rendered faces for training and evaluation of the bundled networks."""

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from synfiqa.actors.degradation.degrade import aligner_landmarks
from synfiqa.actors.degradation.recipe_sampler import degraded_recipes, reference_recipes
from synfiqa.actors.face3d import HeadRenderer, sample_identity
from synfiqa.actors.imaging.alignment import align
from synfiqa.schemas.config.generate import DegradedSection
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.factors import ordered_ladders
from synfiqa.schemas.factors.factor import Signs
from synfiqa.schemas.recipe import Pose, Recipe
from synfiqa.schemas.seeds import derive_seed

Part = Literal["train", "clean", "varied", "ladder"]

PORTRAIT_SIZE = 128
WIDE = DegradedSection(
    yaw_std=38,
    pitch_std=13,
    roll_std=9,
    expression_rate=0.5,
    harsh_light_rate=0.35,
    occluder_rate=0.45,
    scale_weights=(0.4, 0.2, 0.2, 0.2),
    motion_rate=0.2,
    noise_rate=0.25,
    exposure_rate=0.2,
    cast_rate=0.2,
    misalignment_rate=0.2,
    near_camera_rate=0.2,
)
"""Training variation, wider than a run's default."""

LADDERS = [(row, ladder) for row, ladder in ordered_ladders(lambda row: row.bundled) if not ladder.crop]
"""Ladders of recipes, each with its row of the table of factors, in their order."""


@dataclass(frozen=True)
class SetSize:
    """Size of a set: identities to train on (x `references` + `varied`), and held out (x 4 + 12 + ladders)."""

    identities: int = 640
    references: int = 2
    varied: int = 12
    held_out: int = 100
    laddered: int = 24


@dataclass(frozen=True)
class RenderSet:
    """Undegraded aligned crops uint8 RGB (N, 112, 112, 3), and of each its identity number, recipe and part.

    Identities of "train" differ from the held-out ones, which "clean", "varied" and "ladder" share.
    """

    crops: np.ndarray
    identity: np.ndarray
    recipes: list[Recipe]
    part: np.ndarray
    occluded_fraction: np.ndarray

    def select(self, mask: np.ndarray) -> "RenderSet":
        """Return the rows where the boolean mask (N,) holds."""
        recipes = [self.recipes[index] for index in np.flatnonzero(mask)]
        return RenderSet(self.crops[mask], self.identity[mask], recipes, self.part[mask], self.occluded_fraction[mask])

    def of(self, part: Part) -> "RenderSet":
        """Return the rows of one part."""
        return self.select(self.part == part)

    def save(self, path: Path) -> None:
        """Write everything to one uncompressed .npz."""
        recipes = json.dumps([recipe.model_dump(mode="json") for recipe in self.recipes])
        np.savez(
            path,
            crops=self.crops,
            identity=self.identity,
            recipes=np.array(recipes),
            part=self.part,
            occluded_fraction=self.occluded_fraction,
        )

    @staticmethod
    def load(path: Path) -> "RenderSet":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            recipes = [Recipe(**fields) for fields in json.loads(str(stored["recipes"]))]
            return RenderSet(stored["crops"], stored["identity"], recipes, stored["part"], stored["occluded_fraction"])


def render_set(seed: int, size: SetSize, processes: int = 2) -> RenderSet:
    """Render the training and the held-out identities; no run has them, as their seeds derive from "bootstrap"."""
    jobs = [(seed, number, number < size.identities, size) for number in range(size.identities + size.held_out)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        rendered = list(pool.map(_render_identity, jobs, chunksize=4))
    return RenderSet(
        crops=np.concatenate([entry.crops for entry in rendered]),
        identity=np.concatenate([entry.identity for entry in rendered]),
        recipes=[recipe for entry in rendered for recipe in entry.recipes],
        part=np.concatenate([entry.part for entry in rendered]),
        occluded_fraction=np.concatenate([entry.occluded_fraction for entry in rendered]),
    )


def cache_path(seed: int, work_dir: Path = Path("runs/bootstrap")) -> Path:
    """Return the default path of the renders of a seed."""
    return work_dir / f"renders-{seed}.npz"


def cached_render_set(path: Path, seed: int, size: SetSize) -> RenderSet:
    """Return the render set stored at `path`, rendering and storing it first when the file does not exist.

    Raises `UserError` when the file was made with another seed or size. A change of the face model is not detected:
    delete the file after one.
    """
    settings = json.dumps({"seed": seed, **asdict(size)})
    described = path.with_suffix(".json")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npz")
        render_set(seed, size).save(partial)
        described.write_text(settings, encoding="utf-8")
        partial.rename(path)
    if not described.exists() or described.read_text(encoding="utf-8") != settings:
        raise UserError(f"The renders in {path} were made with other settings; delete the file or name another one.")
    return RenderSet.load(path)


def ladder_recipes(base: Recipe) -> Iterator[Recipe]:
    """Yield the base recipe at every level of `LADDERS`, its pose frontal: one factor is changed at a time."""
    frontal = base.model_copy(update={"pose": Pose()})
    for row, ladder in LADDERS:
        for level in ladder.levels:
            yield row.at_level(frontal, ladder, level, Signs())


def _one_thread() -> None:
    torch.set_num_threads(1)


def _render_identity(job: tuple[int, int, bool, SetSize]) -> RenderSet:
    seed, number, trains, size = job
    identity_seed = derive_seed(seed, "bootstrap", "identity", number)
    recipe_seed = derive_seed(seed, "bootstrap", "recipes")
    references = reference_recipes(recipe_seed, number, 5, "corrected")
    clean, base = references[:4], references[4]
    if trains:
        parts = {
            "train": clean[: size.references] + degraded_recipes(recipe_seed, number, size.varied, WIDE, "corrected")
        }
    else:
        varied = degraded_recipes(recipe_seed, number, 12, DegradedSection(), "corrected")
        parts = {"clean": clean, "varied": varied}
        if number - size.identities < size.laddered:
            parts["ladder"] = list(ladder_recipes(base))
    recipes = [recipe for group in parts.values() for recipe in group]
    rendered = HeadRenderer(hair_varies=True).render(
        sample_identity(identity_seed).without_glasses(), recipes, PORTRAIT_SIZE
    )
    used = [aligner_landmarks(true, recipe) for true, recipe in zip(rendered.landmarks, recipes, strict=True)]
    return RenderSet(
        crops=align(rendered.images, np.stack(used)),
        identity=np.full(len(recipes), number),
        recipes=recipes,
        part=np.repeat(list(parts), [len(group) for group in parts.values()]),
        occluded_fraction=np.asarray(rendered.occluded_fraction),
    )
