"""Stage 5: the raw label components of each sample, measured on the stored (encoded) image (MR-FIQA)."""

from dataclasses import replace

import numpy as np

from actors.backends import embedder, image_text
from actors.captions import REFERENCE_CAPTION
from actors.columns import set_columns
from actors.imaging import decode
from cluster.stage import Resources, Stage, Work
from schemas.config import RunConfig


class AnnotatorStage(Stage):
    """Recognition f_r against the identity's references, and vision-language v_l against the reference caption."""

    name = "annotator"
    resources = Resources(cpus=1, gpus=0.25)

    def __init__(self, config: RunConfig) -> None:
        self.models = (config.models.embedder, config.models.image_text)

    def setup(self) -> None:
        """Load both networks."""
        embedder(self.models[0])
        image_text(self.models[1])

    def process(self, work: Work) -> Work:
        """Fill in `recognition` and `vision_language`."""
        table = work.table
        images = np.stack([decode(image["bytes"]) for image in table["image"].to_pylist()])
        embeddings = embedder(self.models[0]).embed(images)
        is_reference = np.asarray(table["kind"].to_pylist()) == "reference"
        recognition = recognition_similarity(embeddings, np.asarray(table["identity"]), is_reference)
        vision_language = image_text(self.models[1]).similarity(images, REFERENCE_CAPTION)
        columns = {"recognition": recognition.tolist(), "vision_language": vision_language.tolist()}
        counts = {"reference": int(is_reference.sum()), "degraded": int((~is_reference).sum())}
        return replace(work, table=set_columns(table, columns), counts=counts)


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
