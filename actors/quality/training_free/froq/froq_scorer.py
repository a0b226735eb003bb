"""Scores faces by a FROQ calibration: one forward pass, hooks on the chosen modules only."""

import re
from pathlib import Path

import numpy as np

from synfiqa.actors.model_store.cache import digest_of
from synfiqa.actors.model_store.catalogue import Model, bundled
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.quality.registry import FROQ_SUFFIX
from synfiqa.actors.quality.training_free.froq.choice import Chosen
from synfiqa.actors.quality.training_free.froq.froq_file import FroqFile, file_sha256, read_froq
from synfiqa.actors.quality.training_free.froq.layer_norms import layer_norms, submodules
from synfiqa.actors.quality.training_free.recogniser import Recogniser, recogniser_of
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

OUTPUT = "FROQ: mean over the chosen modules of the norm of their output, z-normalised and signed unless as released"


class FroqScorer:
    """A `QualityScorer` (`synfiqa.actors.roles`) of a calibration and the network it was made with."""

    def __init__(self, card: ModelCard, recogniser: Recogniser, calibration: FroqFile) -> None:
        """Take the calibration; UserError where the network is another one or lacks a module."""
        expected = calibration.embedder
        if recogniser.digest != expected.sha256:
            raise UserError(
                f"scorer '{card.name}' was calibrated with weights {expected.sha256[:12]}... of {expected.name}, not "
                f"with {recogniser.digest[:12]}...: bring those weights, or calibrate again"
            )
        names = submodules(recogniser.module).keys()
        if missing := [module.name for module in calibration.modules if module.name not in names]:
            raise UserError(
                f"scorer '{card.name}': {expected.name} has no module '{missing[0]}' ({len(missing)} of "
                f"{len(calibration.modules)} missing); calibrate again with this version"
            )
        self.card = card
        self._recogniser, self._mode = recogniser, calibration.mode
        self._chosen = [Chosen(**module.model_dump()) for module in calibration.modules]

    def score(self, images: np.ndarray) -> np.ndarray:
        """Return float64 scores (N,) of uint8 RGB faces (N, 112, 112, 3), unbounded, higher is better.

        UserError where a chosen module does not run.
        """
        if not len(images):
            return np.empty(0)
        norms = layer_norms(self._recogniser, images, [module.name for module in self._chosen])
        if silent := [module.name for module in self._chosen if module.name not in norms]:
            raise UserError(f"scorer '{self.card.name}': the module '{silent[0]}' did not run; calibrate again")
        read = [module.read(norms[module.name], self._mode) for module in self._chosen]
        scores: np.ndarray = np.mean(read, axis=0)
        return scores


def froq_scorer(card: ModelCard, path: Path, running: Execution) -> FroqScorer:
    """Load a calibration file and its network: of the bundled models by name, else by the card inside the file."""
    calibration = read_froq(path)
    record, model = calibration.embedder, _embedder(calibration, path)
    if (here := digest_of(model)) != record.sha256:
        raise UserError(
            f"{path} was calibrated with weights {record.sha256[:12]}... of {record.name}, and here they are "
            f"{here[:12]}...: calibrate again, or use the version that it was made with"
        )
    return FroqScorer(card, recogniser_of(model, card.name, calibration.permutation), calibration)


def froq_model(name: str) -> Model:
    """Return the model of a calibration file named as a scorer, with the file's digest; UserError for a damaged one."""
    path = Path(name).expanduser().absolute()
    calibration = read_froq(path)
    embedder = _embedder(calibration, path).card
    card = ModelCard(
        name=re.sub(r"[^A-Za-z0-9._-]", "-", path.name.removesuffix(FROQ_SUFFIX)).strip(".-_")[:64] or "froq",
        role="quality",
        architecture="froq",
        source=str(path),
        sha256=file_sha256(path),
        input_size=112,
        channels="rgb",
        value_range=(0.0, 255.0),
        output=OUTPUT,
        higher_is_better=True,
        licence=embedder.licence,
        commercial_use=embedder.commercial_use,
        trained_on=calibration.data,
        cost_gflop=embedder.cost_gflop,
    )
    return Model(card, str(path))


def _embedder(calibration: FroqFile, path: Path) -> Model:
    record = calibration.embedder
    if record.card is not None:
        return Model(record.card, record.origin, offline=False)
    if record.name not in bundled():
        raise UserError(f"{path}: there is no bundled embedder '{record.name}'; calibrate again with this version")
    return bundled()[record.name]
