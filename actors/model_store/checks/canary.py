"""The canary: one fixed picture per role, and what a model answers to it when its card is right.

Channel order, value range and input size are the field's commonest silent errors. A card therefore may carry the
first outputs of its model on the canary, and every card is tried with each of the three changed: a model that answers
the same could not distinguish a wrong card from a right one.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.roles import CODE, PARTS
from synfiqa.schemas.model_card import ModelCard

ROLES = frozenset(
    {"detector", "pose", "glasses", "expression", "embedder", "image_text", "quality", "face_encoder", "face_parser"}
)
"""Roles with a canary: models that measure. What generators make is judged by the models that measure it."""

TOLERANCE = 1e-3
"""Largest difference, relative to the largest output, between two machines that run the same weights rightly."""

LENGTH = 8
"""Numbers that a card keeps of the answer."""

SIDE = 112
PORTRAIT_SIDE = 320
"""For models that look at whole portraits: larger than published detectors search, so that their size limit shows."""

CAPTION = "a sharp photo of a face in even light"

LANDMARKS = np.array([[[38.3, 51.7], [73.5, 51.5], [56.0, 71.7], [41.5, 92.4], [70.7, 92.2]]], np.float32)
"""Five landmarks (x, y) of the pictures: eyes, nose, mouth corners."""


def canary_images(count: int = 2, side: int = SIDE) -> np.ndarray:
    """Return uint8 RGB (count, side, side, 3): face-like blobs of colour with fine stripes, exact on every machine."""
    y, x = np.mgrid[0:side, 0:side] / (side - 1)
    pictures = []
    for index in range(count):
        face = np.exp(-(((x - 0.5) / 0.3) ** 2 + ((y - 0.5) / 0.4) ** 2) * 2)
        eyes = sum(np.exp(-(((x - cx) / 0.05) ** 2 + ((y - 0.42) / 0.03) ** 2)) for cx in (0.34, 0.66))
        stripes = 0.5 + 0.5 * np.sin(2 * np.pi * (9 + 4 * index) * (x + 0.3 * y))
        red = 0.2 + 0.65 * face - 0.5 * eyes
        green = 0.35 + 0.25 * face - 0.3 * eyes + 0.1 * stripes
        blue = 0.7 - 0.45 * face + 0.15 * stripes * (1 - y)
        pictures.append(np.stack([red, green, blue], axis=-1))
    return np.rint(np.clip(np.stack(pictures), 0, 1) * 255).astype(np.uint8)


def answer(card: ModelCard, path: Path, running: Execution | None = None) -> np.ndarray:
    """Return float64 outputs of the model on the canary, flat; what they are depends on the role."""
    from synfiqa.actors.model_store.loading import play

    return answer_of(card.role, play(card, path, running))


def answer_of(role: str, model: Any) -> np.ndarray:
    """Return the answer of a loaded model (see `answer`)."""
    images = canary_images(side=PORTRAIT_SIDE if role in ("detector", "face_parser") else SIDE)
    landmarks = np.tile(LANDMARKS, (len(images), 1, 1))
    if role == "embedder":
        found: Any = model.embed(images)
    elif role == "image_text":
        found = model.similarity(images, CAPTION)
    elif role == "quality":
        # A network of portraits refuses aligned crops, and has crops of its own size.
        side = model.card.input_size if hasattr(model, "score_portraits") else SIDE
        found = model.score(canary_images(side=side))
    elif role == "pose":
        found = model.pose(list(images), landmarks)
    elif role == "glasses":
        found = model.score(list(images), landmarks, images)
    elif role == "expression":
        found = model.strength(list(images), landmarks, images, [{}] * len(images))
    elif role == "detector":
        found = model.raw_answer(images) if hasattr(model, "raw_answer") else _faces(model.detect(list(images)))
    elif role == "face_encoder":
        # Camera and light are ten times as large, and would hide how the face itself moves.
        found = model.raw_answer(images)[:, : CODE["shape"]]
    elif role == "face_parser":
        found = _shares(model.parts(images))
    else:
        raise ValueError(f"there is no canary for the role {role}")
    return np.asarray(found, dtype=np.float64).ravel()


def recorded(answer: np.ndarray) -> tuple[float, ...]:
    """Return the start of an answer as a card keeps it, in six digits."""
    return tuple(float(f"{value:.6g}") for value in answer[:LENGTH])


def moved(answer: np.ndarray, other: np.ndarray) -> float:
    """Return how far two answers are apart: largest difference over largest magnitude; infinite for unlike shapes."""
    if answer.shape != other.shape:
        return float("inf")
    scale = max(float(np.abs(answer).max(initial=0.0)), 1e-12)
    return float(np.abs(answer - other).max(initial=0.0)) / scale


def wrong_cards(card: ModelCard) -> dict[str, ModelCard]:
    """Return the card with one thing wrong each: channels swapped, range changed, size changed; where it has them."""
    wrong: dict[str, ModelCard] = {}
    if card.channels != "gray":
        wrong["channels"] = card.model_copy(update={"channels": "bgr" if card.channels == "rgb" else "rgb"})
    if card.normalise == "range" and card.value_range is not None:
        unit = card.value_range[0] < 0
        wrong["range"] = card.model_copy(update={"value_range": (0.0, 1.0) if unit else (-1.0, 1.0)})
    elif card.normalise in ("clip", "imagenet"):
        wrong["range"] = card.model_copy(update={"normalise": "range", "value_range": (0.0, 1.0)})
    # Portraits are parsed at their own size, not at that of the card.
    if card.normalise != "per-image" and card.role != "face_parser":
        wrong["size"] = card.model_copy(update={"input_size": card.input_size * 3 // 4 // 16 * 16})
    return wrong


def compare(recorded: Sequence[float], answer: np.ndarray) -> float:
    """Return how far the recorded start of an answer is from this one (see `moved`)."""
    return moved(np.asarray(recorded, np.float64), answer[: len(recorded)])


def _shares(parts: np.ndarray) -> list[np.ndarray]:
    """Return the share of each picture (N, H, W) that each part covers, which rounding hardly moves."""
    return [np.bincount(picture.ravel(), minlength=len(PARTS)) / picture.size for picture in parts]


def _faces(faces: Sequence[Any]) -> np.ndarray:
    return np.array([[0.0] * 5 if face is None else [face.probability, *face.box] for face in faces])
