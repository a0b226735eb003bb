"""Sets of portraits with opinion scores, in the layout of GFIQA-20k: agreement of model and scorers with people."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synfiqa.actors.degradation.portrait import five_landmarks
from synfiqa.actors.device import use_cores
from synfiqa.actors.imaging.alignment import align_smoothly
from synfiqa.actors.model_store.resolved_run import resolve
from synfiqa.actors.quality.factories import ScorerSettings, scorer_digests, scorers_of
from synfiqa.actors.quality.guard import GuardedScorer
from synfiqa.actors.quality.registry import require_known
from synfiqa.actors.quality.trained.network_scorer import NetworkScorer
from synfiqa.actors.roles import takes_portraits
from synfiqa.cluster.run.lease import Lease, require_held
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.storage import Storage, redact
from synfiqa.cluster.telemetry.progress import Phase
from synfiqa.fiqa_train.datasets.formats import NAME
from synfiqa.fiqa_train.evaluation.document import existing_result
from synfiqa.fiqa_train.evaluation.on_test_sets.opinion_agreement import agreement
from synfiqa.fiqa_train.portraits.gfiqa_folder import GfiqaFolder, open_gfiqa
from synfiqa.fiqa_train.portraits.gfiqa_layout import SCORES, SPLITS, Split
from synfiqa.fiqa_train.portraits.portrait_item import PortraitItem
from synfiqa.fiqa_train.training.checkpoints import load_trained, model_folder
from synfiqa.fiqa_train.training.dsl.portrait_data import folder_digest
from synfiqa.fiqa_train.training.snapshot import under_snapshot
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.evaluation import OpinionBasis, OpinionEvaluation, OpinionFigures, SetId, file_content

SCORERS = "evaluate.scorers"
LABEL, MODEL = "label", "model"
FORMAT = "portraits with opinion scores (layout of GFIQA-20k)"
BATCH = 32
"""Portraits in memory at once."""


@dataclass(frozen=True)
class OpinionSet:
    """The split of a folder that is measured on, `test` where there is one, under the name of the command line."""

    name: str
    root: Path
    split: Split

    def open(self, crop: int) -> GfiqaFolder:
        """Return the portraits; UserError as `open_gfiqa`, such as for one that is smaller than a crop."""
        return open_gfiqa(self.root, self.split, crop=crop)

    @property
    def identity(self) -> SetId:
        """Return what a result states of the set."""
        return SetId(
            name=self.name,
            format=FORMAT,
            sha256=folder_digest(str(self.root)),
            protocol=f"scores of the split {self.split} against its MOS",
            crops="portraits as they are with their 68 landmarks; aligned by five of these for scorers of crops",
        )


def open_opinion_sets(sources: Sequence[str]) -> tuple[list[OpinionSet], list[str]]:
    """Return those of the sets NAME=PATH whose path has splits with opinion scores, and the other sources.

    UserError for a name that is none or given twice.
    """
    found: list[OpinionSet] = []
    others: list[str] = []
    for source in sources:
        name, _, path = source.partition("=")
        root = Path(path).expanduser()
        split = next((one for one in reversed(SPLITS) if path and (root / one / SCORES).is_file()), None)
        if split is None:
            others.append(source)
            continue
        if not NAME.fullmatch(name):
            raise UserError(f"--on {redact(source)}: give NAME=PATH, the name of letters, digits, dots, _ and -")
        if name in [one.partition("=")[0] for one in sources if one is not source]:
            raise UserError(f"--on {name}: this name is given twice; each set needs its own, which names its result")
        found.append(OpinionSet(name, root, split))
    return found, others


def opinions_path(folder: str, name: str) -> str:
    """Return the path of the agreement on a set in the folder of a model."""
    return f"{folder}/opinions-{name}.json"


def run_evaluate_opinions(
    config: RunConfig, storage: Storage, sets: Sequence[OpinionSet], *, lease: Lease | None = None
) -> list[OpinionEvaluation]:
    """Measure `models/<train.name>/` and `evaluate.scorers` on sets with opinion scores; existing results are returned.

    Portraits are scored as they are by scorers of portraits, and aligned by all others. UserError for a model that is
    not trained, a scorer that is not known, a damaged set and fewer than ten images; RunHeld when the run is taken over
    from `lease`.
    """
    if not sets:
        return []
    use_cores()
    require_known(config.evaluate.scorers, SCORERS, config.models.catalogue)
    config = under_snapshot(config, load_run(storage))
    model = load_trained(storage, config.train.name)
    settings = ScorerSettings(resolve(config).catalogue, config.models.embedder, config.run.seed)
    names = [name for name in config.evaluate.scorers if name != LABEL]
    supplied = {MODEL: model if takes_portraits(model) else NetworkScorer(model)}
    scorers = scorers_of(dict.fromkeys([MODEL, *names]), settings, supplied, SCORERS)
    found = []
    for one in sets:
        basis = OpinionBasis(
            model_sha256=model.card.sha256,
            scorers=scorer_digests(names, settings),
            methods=list(scorers),
            test_set=one.identity,
        )
        path = opinions_path(model_folder(config.train.name), one.name)
        result = existing_result(storage, path, OpinionEvaluation, basis)
        if result is None:
            result = _measured(config.train.name, basis, one, scorers)
            require_held(lease)
            storage.write(path, file_content(result))
        found.append(result)
    return found


def _measured(name: str, basis: OpinionBasis, own: OpinionSet, scorers: dict[str, GuardedScorer]) -> OpinionEvaluation:
    crops = [scorer.card.input_size for scorer in scorers.values() if scorer.takes_portraits]
    portraits = own.open(max(crops, default=0))
    results = {}
    for method, scores in scores_of_portraits(own.name, portraits, scorers).items():
        figures = agreement(scores, portraits.scores)
        results[method] = OpinionFigures(
            srcc=figures.srcc,
            krcc=figures.krcc,
            plcc=figures.plcc,
            plcc_mapped=figures.plcc_mapped,
            rmse_mapped=figures.rmse_mapped,
        )
    return OpinionEvaluation(basis=basis, name=name, images=len(portraits), results=results)


def scores_of_portraits(
    name: str, portraits: Sequence[PortraitItem], scorers: dict[str, GuardedScorer]
) -> dict[str, np.ndarray]:
    """Return the qualities float64 (N,) of all portraits by method; UserError where a face cannot be aligned."""
    found = {method: np.zeros(len(portraits)) for method in scorers}
    phase = Phase(f"evaluate {name}", len(portraits), "images")
    for start in range(0, len(portraits), BATCH):
        items = list(portraits[start : start + BATCH])
        images, points = [item.image for item in items], [item.landmarks for item in items]
        try:
            faces = [align_smoothly(item.image, five_landmarks(item.landmarks)) for item in items]
        except ValueError as error:
            raise UserError(f"--on {name}: {error}; detect the landmarks again") from error
        for method, scorer in scorers.items():
            own = scorer.score_portraits(images, points) if scorer.takes_portraits else scorer.score(np.stack(faces))
            found[method][start : start + len(items)] = own
        phase.advance(len(items))
    phase.close()
    return found
