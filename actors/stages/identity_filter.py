"""Stage 2: measures each candidate and rejects what cannot be a clean pseudo-identity, with reason and value."""

import json

import numpy as np

from synfiqa.actors.device import worker_device
from synfiqa.actors.imaging.alignment import ARCFACE_SIZE, align
from synfiqa.actors.imaging.codec import decode
from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.actors.roles import Detection
from synfiqa.actors.stages.candidate_table import candidate_table
from synfiqa.actors.stages.filter_rules import Measured, judge, published_crop
from synfiqa.actors.stages.model_stage import ModelStage
from synfiqa.cluster.pipeline.salvage import Salvage
from synfiqa.cluster.pipeline.stage import Resources, Work


class IdentityFilterStage(ModelStage):
    """Detects, aligns, measures and judges; embeds the survivors. Rejected rows stay: they are data."""

    name = "identity_filter"
    resources = Resources(cpus=1, gpus=0.25)

    def __init__(self, run: ResolvedRun) -> None:
        super().__init__(run)
        self._rules = run.config.filter
        chosen = run.models
        self._play(chosen.detector, chosen.pose, chosen.glasses, chosen.expression, chosen.uniqueness)
        self.batch_size = run.config.generate.micro_batch

    def process(self, work: Work) -> Work:
        """Fill in the measurements, the embedding of survivors, and the status of the rejected and the dead."""
        rows = work.table.to_pylist()
        fresh = [row for row in rows if not row["status"]]
        salvage = Salvage(self)
        judged = salvage.map(
            fresh,
            self._judge,
            self.batch_size,
            name=lambda row: str(row["candidate"]),
            spec=lambda row: {"candidate": row["candidate"], "seed": row["seed"]},
        )
        errors = {row.item: row.error for row in salvage.dead}
        for row, verdict in zip(fresh, judged, strict=True):
            row.update(verdict or {"status": "dead", "error": errors[str(row["candidate"])]})
        return salvage.finish(work, candidate_table(rows))

    def _judge(self, rows: list[dict]) -> list[dict]:
        images = [decode(row["image"]["bytes"]) for row in rows]
        faces = self._players.detector.detect(images)
        aligned = _aligned(images, faces)
        measured = self._measure(images, faces, aligned, [json.loads(row["attributes"]) for row in rows])
        verdicts = [judge(item, self._rules) for item in measured]
        embeddings = self._embed(images, faces, aligned, [not reason for reason, _ in verdicts])
        return [
            {
                "detection": item.detection,
                "landmarks": None if face is None else face.landmarks.astype(np.float32).ravel().tolist(),
                "yaw": None if np.isnan(item.yaw) else item.yaw,
                "expression": item.expression,
                "glasses": item.glasses,
                "embedding": embedding,
                "status": "rejected" if reason else "",
                "reason": reason,
                "value": value if reason else None,
            }
            for face, item, (reason, value), embedding in zip(faces, measured, verdicts, embeddings, strict=True)
        ]

    def _measure(
        self, images: list[np.ndarray], faces: list[Detection | None], aligned: np.ndarray, commanded: list[dict]
    ) -> list[Measured]:
        """Measure every picture under `faithful`, else those with a face; commanded glasses count too."""
        found = [index for index, face in enumerate(faces) if face is not None]
        read = list(range(len(images))) if self._rules.profile == "faithful" else found
        landmarks = np.full((len(images), 5, 2), np.nan, np.float32)
        for index in found:
            landmarks[index] = faces[index].landmarks  # type: ignore[union-attr]
        yaw = np.full(len(images), np.nan, np.float32)
        expression = np.array([entry.get("expression", 0.0) for entry in commanded], np.float32)
        glasses = np.array([entry.get("glasses", False) for entry in commanded], np.float32)
        if read:
            looked = [images[index] for index in read]
            yaw[read] = self._players.pose.pose(looked, landmarks[read])[:, 0]
            expression[read] = self._players.expression.strength(
                looked, landmarks[read], aligned[read], [commanded[index] for index in read]
            )
        if found:
            scores = self._players.glasses.score([images[index] for index in found], landmarks[found], aligned[found])
            glasses[found] = np.maximum(glasses[found], scores)
        return [
            Measured(
                detection=face.probability if face else 0.0,
                yaw=float(yaw[index]),
                expression=float(expression[index]),
                glasses=float(glasses[index]),
                owns_glasses=bool(commanded[index].get("own_glasses", False)),
            )
            for index, face in enumerate(faces)
        ]

    def _embed(
        self, images: list[np.ndarray], faces: list[Detection | None], aligned: np.ndarray, survives: list[bool]
    ) -> list[list[float] | None]:
        rows = [index for index, alive in enumerate(survives) if alive]
        embeddings: list[list[float] | None] = [None] * len(images)
        if not rows:
            return embeddings
        if self._rules.profile == "faithful":
            crops = np.stack([published_crop(images[index], faces[index]) for index in rows])
        else:
            crops = aligned[rows]
        for index, vector in zip(rows, self._players.uniqueness.embed(crops), strict=True):
            embeddings[index] = vector.tolist()
        return embeddings


def _aligned(images: list[np.ndarray], faces: list[Detection | None]) -> np.ndarray:
    """Return (N, 112, 112, 3): aligned faces, and the whole picture at that size where no face was found."""
    aligned = np.zeros((len(images), ARCFACE_SIZE, ARCFACE_SIZE, 3), np.uint8)
    found = [index for index, face in enumerate(faces) if face is not None]
    for index in set(range(len(images))) - set(found):
        aligned[index] = published_crop(images[index], None)
    if found:
        landmarks = np.stack([faces[index].landmarks for index in found]).astype(np.float32)  # type: ignore[union-attr]
        aligned[found] = align([images[index] for index in found], landmarks, device=worker_device())
    return aligned
