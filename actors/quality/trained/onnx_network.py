"""Scores faces with a published ONNX quality network, whose input a card describes.

Files of `synfiqa export-model` need no card: `onnx_scorer.py` reads the one inside.
"""

from pathlib import Path

import numpy as np

from synfiqa.actors.face_analysis.onnx_file import onnx_file
from synfiqa.actors.face_analysis.onnx_input import network_pixels
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.quality.trained.onnx_contract import SHAPE
from synfiqa.actors.quality.trained.onnx_scorer import session_of
from synfiqa.actors.quality.trained.quality_model import require_faces
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

_FLOAT = "tensor(float)"


class OnnxNetwork:
    """A `QualityScorer` (`synfiqa.actors.roles`) of an ONNX file with an image (N, C, S, S) and one number a face.

    Further inputs and outputs are refused. Batches are the micro-batch, or what the file fixes.
    """

    def __init__(self, card: ModelCard, path: Path, running: Execution) -> None:
        """Open the file; UserError where it is no ONNX model, or another one than the card describes."""
        file = onnx_file(path, card.name)
        self.card = card
        self._session = session_of(file.read_bytes() if file is path else str(file), file.name, running.device)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1 or inputs[0].type != _FLOAT or len(inputs[0].shape) != 4:
            raise UserError(
                f"model '{card.name}': {file.name} has {len(inputs)} inputs and {len(outputs)} outputs and takes "
                f"{inputs[0].type if inputs else 'nothing'} {inputs[0].shape if inputs else ''}: name a file that maps "
                "one float image (N, C, S, S) to one score"
            )
        self._input, self._file = inputs[0].name, file.name
        fixed = inputs[0].shape[0]
        self._batch = fixed if isinstance(fixed, int) and fixed > 0 else running.call_size
        self._scores(np.zeros((1, *SHAPE), np.uint8))

    def score(self, images: np.ndarray) -> np.ndarray:
        """Return float64 scores (N,) of uint8 RGB faces (N, 112, 112, 3)."""
        require_faces(images)
        parts = [self._scores(images[start : start + self._batch]) for start in range(0, len(images), self._batch)]
        return np.concatenate([*parts, np.empty(0)])

    def _scores(self, images: np.ndarray) -> np.ndarray:
        pixels = network_pixels(images, self.card)
        # Equal shapes at every call: a result must not depend on how many faces a caller has.
        padded = np.zeros((self._batch, *pixels.shape[1:]), np.float32)
        padded[: len(pixels)] = pixels
        try:
            found = np.asarray(self._session.run(None, {self._input: padded})[0], np.float64)
        except Exception as error:  # onnxruntime's errors have no common base of their own
            raise UserError(
                f"model '{self.card.name}': {self._file} fails on its card's input {list(padded.shape)} "
                f"({' '.join(str(error).split())[:160]}): correct input_size or channels on its card"
            ) from error
        if found.size != self._batch:
            raise UserError(
                f"model '{self.card.name}': {self._file} returns {list(found.shape)} for {self._batch} faces: name a "
                "file with one score a face"
            )
        return found.reshape(-1)[: len(images)]
