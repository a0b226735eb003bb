"""Runs face classifiers for glasses and expression from ONNX files, as their cards describe them."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
from pydantic import Field

from synfiqa.actors.face_analysis.onnx_file import onnx_file
from synfiqa.actors.face_analysis.onnx_input import face_boxes, network_pixels
from synfiqa.actors.imaging.alignment import ARCFACE_SIZE
from synfiqa.actors.model_store.card_files import arguments_of
from synfiqa.actors.model_store.execution import Execution
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import CardPart, ModelCard

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_UNSUPPORTED = ("No Op registered", "not a registered function", "NOT_IMPLEMENTED", "In Node")
"""Phrases in onnxruntime's errors about unsupported operators."""


class ClassifierArguments(CardPart):
    """Card arguments: properties of the classifier that the ONNX file does not hold."""

    classes: tuple[str, ...] = Field(min_length=1, description="names of the outputs, in order; equal names add up")
    softmax: bool = Field(description="whether the outputs are logits; of a single class the sigmoid is taken")
    layout: Literal["nchw", "nhwc"] = "nchw"
    crop: Literal["aligned", "box"] = Field("aligned", description="box: upright square around the face")
    margin: float = Field(0.0, ge=-0.5, le=4, description="share by which the box is larger than the aligned crop")


class OnnxClassifier:
    """Class probabilities of faces from an ONNX file with one image input.

    It runs on one thread of the CPU for every `running.device`: these networks are small, and a GPU provider that only
    some nodes have would make results depend on the node. Micro-batches are constant: the file's own batch size where
    it fixes one. Disagreements of card and file raise a UserError at construction.
    """

    def __init__(self, card: ModelCard, path: Path, running: Execution | None = None) -> None:
        running = running or Execution()
        self.name = card.name
        self.arguments = _arguments(card)
        self.card = card
        self._session = _session(onnx_file(path, card.name), card)
        self._input = _only_input(self._session, card, self.arguments.layout)
        fixed = self._input.shape[0]
        self._batch = fixed if isinstance(fixed, int) and fixed > 0 else running.micro_batch
        self._check_outputs()

    def probabilities(self, images: Sequence[np.ndarray], landmarks: np.ndarray, aligned: np.ndarray) -> np.ndarray:
        """Return float32 (N, classes) in 0..1 of uint8 RGB images, landmarks (N, 5, 2) or aligned (N, 112, 112, 3).

        `arguments.crop` selects which of them are used.
        """
        if self.arguments.crop == "aligned":
            pixels = network_pixels(aligned, self.card)
        else:
            crops = face_boxes(images, landmarks, self.arguments.margin)
            pixels = np.concatenate([network_pixels(crop[None], self.card) for crop in crops])
        outputs = self._run(pixels)
        if not np.isfinite(outputs).all():
            raise ValueError(f"model '{self.name}' returned numbers that are not finite")
        return _normalised(outputs) if self.arguments.softmax else np.clip(outputs, 0, 1)

    def share(
        self, wanted: str, images: Sequence[np.ndarray], landmarks: np.ndarray, aligned: np.ndarray
    ) -> np.ndarray:
        """Return float32 (N,) in 0..1, the summed probability of the classes named `wanted`."""
        columns = [index for index, name in enumerate(self.arguments.classes) if name == wanted]
        return self.probabilities(images, landmarks, aligned)[:, columns].sum(axis=1).clip(0, 1)

    def _require(self, wanted: str) -> None:
        if wanted not in self.arguments.classes:
            raise UserError(
                f"model '{self.name}' has the classes {', '.join(self.arguments.classes)} but its role needs "
                f"'{wanted}': give that name to the output in arguments.classes"
            )

    def _run(self, pixels: np.ndarray) -> np.ndarray:
        if self.arguments.layout == "nhwc":
            pixels = pixels.transpose(0, 2, 3, 1)
        results = []
        for start in range(0, len(pixels), self._batch):
            chunk = pixels[start : start + self._batch]
            padded = np.zeros((self._batch, *chunk.shape[1:]), _TYPES[self._input.type])
            padded[: len(chunk)] = chunk
            (found,) = self._session.run([self._session.get_outputs()[0].name], {self._input.name: padded})
            results.append(np.asarray(found, np.float32).reshape(self._batch, -1)[: len(chunk)])
        return np.concatenate(results)

    def _check_outputs(self) -> None:
        """Run two random images and raise UserError if the outputs disagree with the card."""
        noise = np.random.Generator(np.random.Philox(0)).integers(0, 256, (2, ARCFACE_SIZE, ARCFACE_SIZE, 3), np.uint8)
        try:
            outputs = self._run(network_pixels(noise, self.card))
        except Exception as error:  # onnxruntime's errors have no common base of their own
            raise UserError(
                f"model '{self.name}' fails on its card's input {self._shape()} ({_line(error)}): correct input_size, "
                "channels or arguments.layout on its card"
            ) from error
        count = len(self.arguments.classes)
        if outputs.shape[1] != count:
            raise UserError(
                f"model '{self.name}' has {outputs.shape[1]} outputs but its card names {count} classes: correct "
                "arguments.classes"
            )
        if not np.isfinite(outputs).all():
            raise UserError(f"model '{self.name}' returns numbers that are not finite: correct value_range on its card")
        within = bool((outputs > -1e-3).all() and (outputs < 1 + 1e-3).all())
        if not self.arguments.softmax and not within:
            raise UserError(
                f"model '{self.name}' returns {outputs.min():.3g} to {outputs.max():.3g}, no probabilities: set "
                "arguments.softmax to true if these are logits"
            )
        if self.arguments.softmax and within and count > 1 and np.allclose(outputs.sum(axis=1), 1, atol=1e-3):
            raise UserError(f"model '{self.name}' returns probabilities already: set arguments.softmax to false")

    def _shape(self) -> str:
        channels, side = 1 if self.card.channels == "gray" else 3, self.card.input_size
        shape = (channels, side, side) if self.arguments.layout == "nchw" else (side, side, channels)
        return "x".join(map(str, (self._batch, *shape)))


class OnnxGlasses(OnnxClassifier):
    """`synfiqa.actors.roles.GlassesMeter`: the probability of the class `glasses`."""

    WANTED = "glasses"

    def __init__(self, card: ModelCard, path: Path, running: Execution | None = None) -> None:
        super().__init__(card, path, running)
        self._require(self.WANTED)

    def score(self, images: Sequence[np.ndarray], landmarks: np.ndarray, aligned: np.ndarray) -> np.ndarray:
        """Return float32 (N,) in 0..1, above 0.5 for probable glasses."""
        return self.share(self.WANTED, images, landmarks, aligned)


class OnnxExpression(OnnxClassifier):
    """`synfiqa.actors.roles.ExpressionMeter`: 1 - the probability of the class `neutral`."""

    WANTED = "neutral"

    def __init__(self, card: ModelCard, path: Path, running: Execution | None = None) -> None:
        super().__init__(card, path, running)
        self._require(self.WANTED)

    def strength(
        self,
        images: Sequence[np.ndarray],
        landmarks: np.ndarray,
        aligned: np.ndarray,
        commanded: Sequence[Mapping[str, Any]],
    ) -> np.ndarray:
        """Return float32 (N,) from 0 (neutral) to 1; `commanded` is not used."""
        return 1 - self.share(self.WANTED, images, landmarks, aligned)


def _arguments(card: ModelCard) -> ClassifierArguments:
    known = ("range", "per-image") if card.channels == "gray" else ("range", "clip", "imagenet")
    if card.normalise not in known:
        raise UserError(
            f"model '{card.name}': normalise {card.normalise} cannot be combined with channels {card.channels}: "
            f"choose {' or '.join(known)}"
        )
    return arguments_of(card, ClassifierArguments)


def _session(file: Path, card: ModelCard) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common base of their own
        # The library's message holds the whole path, which would push the cause out of the line.
        cause = _line(error, str(file.parent) + os.sep)
        if any(phrase in str(error) for phrase in _UNSUPPORTED):
            raise UserError(
                f"model '{card.name}': {file.name} uses operators that onnxruntime {onnxruntime.__version__} does not "
                f"support in this form ({cause}): export it with standard operators"
            ) from error
        raise UserError(
            f"model '{card.name}': {file.name} is no working ONNX model ({cause}): fetch it again"
        ) from error


def _only_input(session: onnxruntime.InferenceSession, card: ModelCard, layout: str) -> onnxruntime.NodeArg:
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in _TYPES:
        given = ", ".join(f"{item.name} {item.type}" for item in inputs) or "none"
        raise UserError(f"model '{card.name}' must take one float image, not {given}: export it with that input alone")
    channels, side = 1 if card.channels == "gray" else 3, card.input_size
    wanted = (channels, side, side) if layout == "nchw" else (side, side, channels)
    shape = inputs[0].shape
    fits = len(shape) == 4 and all(
        not isinstance(found, int) or found == size for found, size in zip(shape[1:], wanted, strict=True)
    )
    if not fits:
        raise UserError(
            f"model '{card.name}' takes {'x'.join(map(str, shape))} but its card declares "
            f"Nx{'x'.join(map(str, wanted))}: correct input_size, channels or arguments.layout"
        )
    return inputs[0]


def _normalised(logits: np.ndarray) -> np.ndarray:
    if logits.shape[1] == 1:
        return (0.5 + 0.5 * np.tanh(logits / 2)).astype(np.float32)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _line(error: Exception, without: str = "") -> str:
    text = str(error).replace(without, "") if without else str(error)
    return " ".join(text.split())[:200] or type(error).__name__
