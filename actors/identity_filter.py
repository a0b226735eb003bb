"""Stage 2: measures each candidate and rejects what cannot be a clean pseudo-identity, with reason and value."""

import json
from dataclasses import dataclass

import numpy as np

from actors.accessories import glasses_score
from actors.alignment import align
from actors.backends import detector, embedder
from actors.candidate_table import candidate_table
from actors.imaging import decode
from actors.pose import pose_from_landmarks
from cluster.salvage import Salvage
from cluster.stage import Resources, Stage, Work
from schemas.config import FilterSection, RunConfig


@dataclass(frozen=True)
class Measured:
    """What the rules judge. Angles in degrees, the rest 0..1; `glasses` is the larger of commanded and measured."""

    detection: float
    yaw: float
    expression: float
    glasses: float


def judge(measured: Measured, rules: FilterSection) -> tuple[str, float]:
    """Return (reason, value) of the first rule broken, or ("", nan): detection, pose, expression, glasses."""
    if not measured.detection >= rules.min_detection:
        return "no_face", measured.detection
    if abs(measured.yaw) >= rules.max_yaw:
        return "yaw", measured.yaw
    if measured.expression > rules.max_expression:
        return "expression", measured.expression
    if measured.glasses > rules.max_glasses:
        return "glasses", measured.glasses
    return "", float("nan")


class IdentityFilterStage(Stage):
    """Detects, aligns, measures and judges; embeds the survivors. Rejected rows stay: they are data."""

    name = "identity_filter"
    resources = Resources(cpus=1, gpus=0.25)

    def __init__(self, config: RunConfig) -> None:
        self._rules = config.filter
        self.models = (config.models.detector, config.models.embedder)
        self.batch_size = config.generate.micro_batch

    def setup(self) -> None:
        """Load detector and embedder."""
        detector(self.models[0])
        embedder(self.models[1])

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
        attributes = [json.loads(row["attributes"]) for row in rows]
        faces = detector(self.models[0]).detect(images)
        found = [index for index, face in enumerate(faces) if face is not None]
        landmarks = np.full((len(images), 5, 2), np.nan, np.float32)
        for index in found:
            landmarks[index] = faces[index].landmarks  # type: ignore[union-attr]
        aligned = np.zeros((len(images), 112, 112, 3), np.uint8)
        for index in found:
            aligned[index] = align(images[index][None], landmarks[index][None])[0]
        yaw = np.full(len(images), np.nan, np.float32)
        glasses = np.zeros(len(images), np.float32)
        if found:
            yaw[found] = pose_from_landmarks(landmarks[found])[:, 0]
            glasses[found] = glasses_score(aligned[found])
        measured = [
            Measured(
                detection=face.probability if face else 0.0,
                yaw=float(yaw[index]),
                expression=float(commanded.get("expression", 0.0)),
                glasses=max(float(glasses[index]), float(commanded.get("glasses", False))),
            )
            for index, (face, commanded) in enumerate(zip(faces, attributes, strict=True))
        ]
        verdicts = [judge(item, self._rules) for item in measured]
        survivors = [index for index, (reason, _) in enumerate(verdicts) if not reason]
        embeddings: list[list[float] | None] = [None] * len(images)
        if survivors:
            for index, vector in zip(survivors, embedder(self.models[1]).embed(aligned[survivors]), strict=True):
                embeddings[index] = vector.tolist()
        return [
            {
                "detection": item.detection,
                "landmarks": landmarks[index].ravel().tolist() if faces[index] else None,
                "yaw": item.yaw if faces[index] else None,
                "expression": item.expression,
                "glasses": item.glasses,
                "embedding": embeddings[index],
                "status": "rejected" if reason else "",
                "reason": reason,
                "value": value if reason else None,
            }
            for index, (item, (reason, value)) in enumerate(zip(measured, verdicts, strict=True))
        ]
