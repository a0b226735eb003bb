"""The scoring of photographs from Python: paths, arrays, tensors and PIL images."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from synfiqa.fiqa_train.scoring.output.score_columns import finite
from synfiqa.fiqa_train.scoring.photo_list import Photo
from synfiqa.fiqa_train.scoring.photographs import Score, SearchOptions, find_photos, score_photos
from synfiqa.fiqa_train.scoring.sources import open_scorers
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import BUNDLED_QUALITY

type Images = str | Path | np.ndarray | Image.Image | Any
"""A path, a NumPy array, a torch tensor or a PIL image; `Any` since torch is not imported for the name alone."""


def score(
    images: Images | Sequence[Images],
    model: str | Sequence[str] = BUNDLED_QUALITY,
    device: str = "cpu",
    options: SearchOptions | None = None,
) -> list[Score]:
    """Score photographs in order, one `Score` each (each face with `SearchOptions(all_faces=True)`); higher is better.

    `images` is one image or a sequence of them: paths of photographs, or folders of them (`find_photos`); NumPy arrays
    uint8 RGB (H, W, 3), or a batch (N, H, W, 3); torch tensors (3, H, W), or a batch (N, 3, H, W), uint8 or floats in
    0..1; PIL images. Those in memory are named `image 0`, `image 1` and so on.

    `model` is a scorer by name (bundled-quality, sharpness, norm, ...), or a run folder, a model folder or a
    .safetensors file (path or URL), or several of these. `device` counts where `options` has none. An image that cannot
    be scored, or has a score that is not finite, has a reason instead. UserError for a missing path, an array of
    another form, and a source without a model.
    """
    options = options or SearchOptions(device=device)
    items = _items(images)
    paths = [item for item in items if isinstance(item, str | Path)]
    if paths and len(paths) < len(items):
        raise UserError("images mix paths and arrays: score them in two calls")
    photos = find_photos(paths).photos if paths else [photo for item in items for photo in _photos(item)]
    scorers = open_scorers((model,) if isinstance(model, str | Path) else model, options.device)
    named = [photo if paths else replace(photo, name=f"image {index}") for index, photo in enumerate(photos)]
    return [finite(found) for found in score_photos(named, scorers, options)]


def _items(images: Images | Sequence[Images]) -> list[Images]:
    if isinstance(images, Iterable) and not (
        isinstance(images, str | Path | np.ndarray | Image.Image) or _is_tensor(images)
    ):
        return list(images)
    return [images]


def _photos(image: Images) -> list[Photo]:
    """Return the photographs that an image, or a batch of them, holds."""
    if isinstance(image, Image.Image):
        return [Photo("", partial(_from_pil, image))]
    if _is_tensor(image):
        image = _from_tensor(image)
    elif not isinstance(image, np.ndarray):
        raise UserError(f"images holds a {type(image).__name__}: give paths, NumPy arrays, torch tensors or PIL images")
    if image.dtype != np.uint8 or image.ndim not in (3, 4) or image.shape[-1] != 3 or 0 in image.shape:
        raise UserError(
            f"an array is {image.dtype} {image.shape}: give uint8 RGB (H, W, 3) or (N, H, W, 3); floats in 0..1 are "
            "(image * 255).round().astype('uint8')"
        )
    return [Photo("", partial(np.ascontiguousarray, one)) for one in (image if image.ndim == 4 else image[None])]


def _from_pil(image: Image.Image) -> np.ndarray:
    return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def _is_tensor(image: object) -> bool:
    # A caller with a tensor has imported torch.
    return type(image).__module__.partition(".")[0] == "torch" and hasattr(image, "detach")


def _from_tensor(tensor: Any) -> np.ndarray:
    """Return uint8 (H, W, 3) or (N, H, W, 3) of a tensor whose channels come first; UserError for another form."""
    if tensor.ndim not in (3, 4) or tensor.shape[-3] != 3:
        raise UserError(
            f"a tensor has the shape {tuple(tensor.shape)}: give RGB with channels first, (3, H, W) or (N, 3, H, W)"
        )
    array: np.ndarray = tensor.detach().cpu().movedim(-3, -1).float().numpy()
    if not tensor.is_floating_point():
        if array.size and (array.min() < 0 or array.max() > 255):
            raise UserError("an integer tensor has values beyond 0..255: give uint8, or floats in 0..1")
        return array.astype(np.uint8)
    if not np.isfinite(array).all() or array.min(initial=0) < 0 or array.max(initial=0) > 1:
        raise UserError(
            "a tensor of floats has values beyond 0..1: divide one of 0..255 by 255, and undo a normalisation by mean "
            "and deviation"
        )
    return np.rint(array * 255).astype(np.uint8)
