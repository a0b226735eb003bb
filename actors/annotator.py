"""Stage 5: the raw label components of each sample, measured on the stored (encoded) image (MR-FIQA)."""

from itertools import groupby

import numpy as np
import pyarrow as pa

from actors.backends import embedder, image_text
from actors.captions import REFERENCE_CAPTION
from actors.imaging import decode
from cluster.salvage import Salvage
from cluster.stage import Resources, Stage, Work
from schemas.config import RunConfig
from schemas.rows import SAMPLES, recipe_from_row

MIN_REFERENCES = 2
"""With fewer, a reference has nobody to be compared with (leave-one-out)."""

BATCH = 32
"""Images per network call; batches never span two identities."""


class AnnotatorStage(Stage):
    """Recognition f_r against the identity's references, and vision-language v_l against the reference caption."""

    name = "annotator"
    resources = Resources(cpus=1, gpus=0.25)
    batch_size = BATCH

    def __init__(self, config: RunConfig) -> None:
        self.models = (config.models.embedder, config.models.image_text)

    def setup(self) -> None:
        """Load both networks."""
        embedder(self.models[0])
        image_text(self.models[1])

    def process(self, work: Work) -> Work:
        """Fill in `recognition` and `vision_language`; a sample that cannot be measured is dead."""
        salvage = Salvage(self)
        rows = work.table.to_pylist()
        kept = [
            row
            for _, members in groupby(rows, key=lambda row: row["identity"])
            for row in self._annotate(salvage, list(members))
        ]
        return salvage.finish(work, pa.Table.from_pylist(kept, schema=SAMPLES))

    def _annotate(self, salvage: Salvage, rows: list[dict]) -> list[dict]:
        measured = salvage.map(rows, self._measure, self.batch_size, name=lambda row: row["sample_id"], spec=_recipe)
        survivors = [(row, values) for row, values in zip(rows, measured, strict=True) if values is not None]
        kept = [row for row, _ in survivors]
        references = sum(row["kind"] == "reference" for row in kept)
        if references < MIN_REFERENCES:
            for row in kept:
                salvage.bury(row["sample_id"], f"only {references} references of its identity are left", _recipe(row))
            return []
        embeddings = np.stack([values[0] for _, values in survivors])
        is_reference = np.array([row["kind"] == "reference" for row in kept])
        recognition = recognition_similarity(embeddings, np.zeros(len(kept), np.int64), is_reference)
        for (row, (_, similarity)), cosine in zip(survivors, recognition, strict=True):
            row.update(recognition=float(cosine), vision_language=similarity)
        return kept

    def _measure(self, rows: list[dict]) -> list[tuple[np.ndarray, float]]:
        images = np.stack([decode(row["image"]["bytes"]) for row in rows])
        embeddings = embedder(self.models[0]).embed(images)
        similarity = image_text(self.models[1]).similarity(images, REFERENCE_CAPTION)
        return [(vector, float(cosine)) for vector, cosine in zip(embeddings, similarity, strict=True)]


def _recipe(row: dict) -> dict:
    return recipe_from_row(row).model_dump(mode="json")


def recognition_similarity(embeddings: np.ndarray, identity: np.ndarray, is_reference: np.ndarray) -> np.ndarray:
    """Return f_r = cos(E(x), mean of the identity's reference embeddings), (N,) in [-1, 1].

    The mean of unit vectors is not renormalised before the cosine (generation spec 4). A reference is measured
    against the other references of its identity, else it would meet itself.
    """
    result = np.empty(len(embeddings), np.float32)
    for person in np.unique(identity):
        members = np.flatnonzero(identity == person)
        references = members[is_reference[members]]
        total = embeddings[references].sum(axis=0)
        for row in members:
            mean = (total - embeddings[row]) / (len(references) - 1) if is_reference[row] else total / len(references)
            result[row] = embeddings[row] @ mean / max(float(np.linalg.norm(mean)), 1e-12)
    return result
