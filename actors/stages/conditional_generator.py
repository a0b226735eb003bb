"""Stage 4: references and degraded samples of each identity, aligned and encoded."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from synfiqa.actors.degradation.degrade import clean_crop_and_degrade
from synfiqa.actors.generation.conditional.backends import backend_of
from synfiqa.actors.generation.conditional.photographed_faces import photographed_faces
from synfiqa.actors.imaging.alignment import transform_points, warp
from synfiqa.actors.imaging.codec import decode, encode_jpeg, encode_png
from synfiqa.actors.imaging.released_alignment import released_transform
from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.actors.roles import IdentitySource, Portraits, Rejection
from synfiqa.actors.stages.model_stage import ModelStage
from synfiqa.cluster.pipeline.salvage import Salvage
from synfiqa.cluster.pipeline.stage import Resources, Work
from synfiqa.schemas.recipe import Recipe
from synfiqa.schemas.rows import REGIONS, image_path, portrait_path, recipe_to_row, sample_id, samples_schema


class ConditionalGeneratorStage(ModelStage):
    """Makes R references and D degraded samples per identity, each from its own recipe and seed."""

    name = "conditional_generator"
    resources = Resources(cpus=1, gpus=1.0)

    def __init__(self, run: ResolvedRun) -> None:
        super().__init__(run)
        self._settings = run.config.generate
        self._keeps_portraits = run.config.storage.portraits
        self._photographs = self._settings.shots is not None
        self._schema = samples_schema(
            run.config.generate.factors, portraits=self._keeps_portraits, shots=self._photographs
        )
        self._backend = backend_of(run, self._players)
        self._play(*self._backend.models, run.models.pose, *([run.models.detector] if self._photographs else []))
        self.batch_size = self._settings.micro_batch

    def setup(self) -> None:
        """Load the models and build the generator from them."""
        super().setup()
        self._backend.generator()

    def process(self, work: Work) -> Work:
        """Return the shard's samples, label components still empty; micro-batches never span two identities.

        A sample that the generator gives up is rejected with its reason, one that an error costs is dead.
        """
        salvage = Salvage(self)
        rows = [row for source in work.table.to_pylist() for row in self._samples(salvage, source)]
        return salvage.finish(work, pa.Table.from_pylist(rows, schema=self._schema))

    def _samples(self, salvage: Salvage, source: dict) -> list[dict]:
        recipes = self._backend.recipes(source["candidate"])
        references = self._settings.references
        planned = [
            _Planned(recipe, index if recipe.kind == "reference" else index - references)
            for index, recipe in enumerate(recipes)
        ]

        def name(item: _Planned) -> str:
            return sample_id(source["identity"], item.recipe.kind, item.index)

        def spec(item: _Planned) -> dict:
            return item.recipe.model_dump(mode="json")

        made = salvage.map(
            planned,
            lambda batch: self._make(source, batch),
            self.batch_size,
            name=name,
            spec=spec,
        )
        rows = []
        for item, outcome in zip(planned, made, strict=True):
            if isinstance(outcome, Rejection):
                salvage.bury(
                    name(item),
                    outcome.message,
                    spec(item),
                    attempts=outcome.attempts,
                    reason=outcome.reason,
                    value=outcome.value,
                )
            elif outcome is not None:
                rows.append(outcome)
        return rows

    def _make(self, source: dict, batch: list["_Planned"]) -> list[dict | Rejection]:
        model = self._backend.generator()
        identity = IdentitySource(
            identity=source["identity"],
            seed=source["seed"],
            attributes=json.loads(source["attributes"]),
            image=decode(source["image"]["bytes"]),
        )
        portraits = model.generate(identity, [item.recipe for item in batch])
        fit = [index for index in range(len(batch)) if portraits.fit(index)]
        yaw = dict(zip(fit, self._poses(portraits, fit)[:, 0], strict=True)) if fit else {}
        faces = dict(zip(fit, self._faces(portraits, fit, [batch[index].recipe for index in fit]), strict=True))
        rows: list[dict | Rejection] = []
        for offset, item in enumerate(batch):
            recipe = item.recipe
            if offset not in yaw:
                rows.append(portraits.unfit[offset])  # type: ignore[arg-type]
                continue
            image, columns = faces[offset]
            rows.append(
                {
                    **recipe_to_row(recipe),
                    "sample_id": sample_id(identity.identity, recipe.kind, item.index),
                    "identity": identity.identity,
                    "candidate": source["candidate"],
                    "index": item.index,
                    "image": {
                        "bytes": encode_jpeg(image, recipe.jpeg_quality),
                        "path": image_path(identity.identity, recipe.kind, item.index),
                    },
                    "measured_yaw": float(yaw[offset]),
                    "occluded_fraction": float(portraits.occluded_fraction[offset]),
                    "occluded_regions": _regions(portraits.occluded_regions, offset),
                    **columns,
                    **(self._portrait(portraits, offset, identity.identity, item) if self._keeps_portraits else {}),
                }
            )
        return rows

    def _faces(
        self, portraits: Portraits, fit: list[int], recipes: list[Recipe]
    ) -> Iterator[tuple[np.ndarray, dict[str, object]]]:
        """Yield the crop (112, 112, 3) of each fit portrait and the columns that are measured on the way to it."""
        if self._photographs:
            images, landmarks = ([part[index] for index in fit] for part in (portraits.images, portraits.landmarks))
            for shown in photographed_faces(images, landmarks, recipes, self._players.detector) if fit else ():
                measured: dict[str, object] = {
                    "detected": shown.detected,
                    "measured_misalignment": shown.turned,
                }
                yield shown.image, measured | _kernel(None, None, None) | _points(shown.landmarks)
            return
        for index, recipe in zip(fit, recipes, strict=True):
            image, landmark = portraits.images[index], portraits.landmarks[index]
            face = clean_crop_and_degrade(image, landmark, recipe, portraits.box(index))
            yield face.image, _kernel(face.lambda1, face.lambda2, face.theta) | _points(face.landmarks)

    @staticmethod
    def _portrait(portraits: Portraits, offset: int, identity: int, item: "_Planned") -> dict:
        """Return the columns of `synfiqa.schemas.rows.PORTRAITS`: the picture as rendered, before any fault."""
        assert portraits.face_points is not None, "the config refuses generators that know none"
        return {
            "portrait": {
                "bytes": encode_png(portraits.images[offset]),
                "path": portrait_path(identity, item.recipe.kind, item.index),
            },
            "portrait_landmarks": portraits.face_points[offset].ravel().tolist(),
        }

    def _poses(self, portraits: Portraits, fit: list[int]) -> np.ndarray:
        """Measure the clean pictures: whole portraits, or as released the aligned crops."""
        images, landmarks = portraits.images[fit], portraits.landmarks[fit]
        if self._settings.profile != "faithful":
            return self._players.pose.pose(list(images), landmarks)
        matrices = released_transform(landmarks)
        return self._players.pose.pose(list(warp(images, matrices)), transform_points(landmarks, matrices))


@dataclass(frozen=True)
class _Planned:
    """One sample to make: its recipe, and its number among those of its kind."""

    recipe: Recipe
    index: int


def _regions(shares: np.ndarray | None, row: int) -> dict[str, float | None] | None:
    """Return the column `occluded_regions` of a picture: null where unknown or turned away."""
    if shares is None:
        return None
    return {name: _value(float(share)) for name, share in zip(REGIONS, shares[row], strict=True)}


def _kernel(lambda1: float | None, lambda2: float | None, theta: float | None) -> dict[str, object]:
    return {"kernel_lambda1": _value(lambda1), "kernel_lambda2": _value(lambda2), "kernel_theta": _value(theta)}


def _points(landmarks: np.ndarray) -> dict[str, object]:
    return {"landmarks": np.asarray(landmarks, np.float32).ravel().tolist()}


def _value(number: float | None) -> float | None:
    return None if number is None or np.isnan(number) else float(number)
