"""Stage 5: the raw label components of each sample, measured on the stored (encoded) image (MR-FIQA)."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
import pyarrow as pa

from synfiqa.actors.device import worker_device
from synfiqa.actors.generation.conditional.backends import reference_text
from synfiqa.actors.imaging.codec import decode
from synfiqa.actors.model_store.cache import locate
from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.actors.quality.factories import ScorerSettings, scorers_of
from synfiqa.actors.quality.guard import GuardedScorer
from synfiqa.actors.recognition.mirrored import recognition_vectors
from synfiqa.actors.stages.model_stage import ModelStage
from synfiqa.cluster.pipeline.salvage import Salvage
from synfiqa.cluster.pipeline.stage import Resources, Work
from synfiqa.schemas.manifest import DeadRow
from synfiqa.schemas.rows import SCORE_PREFIX, identity_of, kind_of, recipe_from_row, samples_schema

MIN_REFERENCES = 2
"""With fewer, no other reference is left to compare a reference with (leave-one-out)."""
FEW_REFERENCES = "few_references"
"""Why samples are rejected whose identity has fewer, because others of its references were rejected."""

WHERE = "models.scorers"
"""Key of the scorers that are measured as columns."""

BATCH = 32
"""Images per network call; batches never span two identities."""


class AnnotatorStage(ModelStage):
    """Recognition f_r against the identity's references, and vision-language v_l against the text of references."""

    name = "annotator"
    resources = Resources(cpus=1, gpus=0.25)
    batch_size = BATCH

    def __init__(self, run: ResolvedRun) -> None:
        super().__init__(run)
        chosen = run.models
        self.text = reference_text(chosen)
        self._play(chosen.embedder, *chosen.more_embedders, chosen.image_text)
        config = run.config
        self._schema = samples_schema(
            config.generate.factors,
            config.models.scorers,
            portraits=config.storage.portraits,
            shots=config.generate.shots is not None,
        )
        self._scoring = ScorerSettings(run.catalogue, chosen.embedder.name, run.config.run.seed)
        self._scorers: dict[str, GuardedScorer] = {}

    def setup_on_node(self) -> None:
        """Bring the weights of networks and scorers to this node."""
        super().setup_on_node()
        for model in self._players.models.scorers:
            locate(model)

    def setup(self) -> None:
        """Load networks and scorers."""
        super().setup()
        settings = replace(self._scoring, device=worker_device())
        self._scorers = scorers_of((model.name for model in self._players.models.scorers), settings, {}, WHERE)

    def process(self, work: Work) -> Work:
        """Fill in `recognition`, `vision_language` and the scores; a sample that cannot be measured is dead."""
        salvage = Salvage(self)
        rows = work.table.to_pylist()
        kept = [
            row
            for _, members in groupby(rows, key=lambda row: row["identity"])
            for row in self._annotate(salvage, list(members), work.dead)
        ]
        return salvage.finish(work, pa.Table.from_pylist(kept, schema=self._schema))

    def _annotate(self, salvage: Salvage, rows: list[dict], lost: Sequence[DeadRow]) -> list[dict]:
        measured = salvage.map(rows, self._measure, self.batch_size, name=lambda row: row["sample_id"], spec=_recipe)
        survivors = [(row, values) for row, values in zip(rows, measured, strict=True) if values is not None]
        kept = [row for row, _ in survivors]
        references = sum(row["kind"] == "reference" for row in kept)
        if references < MIN_REFERENCES:
            # Of references that are dead a replay may make more; those that were rejected stay so.
            dead = [row for row in (*lost, *salvage.dead) if not row.reason and kind_of(row.item) == "reference"]
            reason = "" if rows[0]["identity"] in {identity_of(row.item) for row in dead} else FEW_REFERENCES
            for row in kept:
                error = f"only {references} references of its identity are left"
                salvage.bury(row["sample_id"], error, _recipe(row), reason=reason, value=float(references))
            return []
        is_reference = np.array([row["kind"] == "reference" for row in kept])
        # One column of cosines for each embedder, models.embedder first.
        cosines = np.stack(
            [
                recognition_similarity(np.stack(vectors), np.zeros(len(kept), np.int64), is_reference)
                for vectors in zip(*(values[0] for _, values in survivors), strict=True)
            ],
            axis=1,
        )
        others = [model.name for model in self._players.models.more_embedders]
        for (row, (_, similarity, scores)), (first, *rest) in zip(survivors, cosines.tolist(), strict=True):
            beside = [{"embedder": name, "cosine": cosine} for name, cosine in zip(others, rest, strict=True)]
            row.update(recognition=first, vision_language=similarity, more_recognition=beside, **scores)
        return kept

    def _measure(self, rows: list[dict]) -> list[tuple[list[np.ndarray], float, dict[str, float]]]:
        images = np.stack([decode(row["image"]["bytes"]) for row in rows])
        mirrored = self._players.models.mirrored_recognition
        embeddings = [recognition_vectors(embedder, images, mirrored) for embedder in self._players.embedders]
        similarity = self._players.image_text.similarity(images, self.text)
        scores = {
            SCORE_PREFIX + name: _scores(scorer, images, self.batch_size) for name, scorer in self._scorers.items()
        }
        return [
            (vectors, float(cosine), {column: float(values[index]) for column, values in scores.items()})
            for index, (*vectors, cosine) in enumerate(zip(*embeddings, similarity, strict=True))  # type: ignore[misc]
        ]


def _scores(scorer: GuardedScorer, images: np.ndarray, size: int) -> np.ndarray:
    """Return the scores of at most `size` images; short calls are padded, as scores may depend on the batch's size."""
    padded = np.zeros((size, *images.shape[1:]), np.uint8)
    padded[: len(images)] = images
    return scorer.score(padded)[: len(images)]


def _recipe(row: dict) -> dict:
    return recipe_from_row(row).model_dump(mode="json")


def recognition_similarity(embeddings: np.ndarray, identity: np.ndarray, is_reference: np.ndarray) -> np.ndarray:
    """Return f_r = cos(E(x), mean of the identity's reference embeddings), (N,) in [-1, 1].

    The mean of unit vectors is not renormalised before the cosine (MR-FIQA). A reference is measured against the other
    references of its identity only.
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
