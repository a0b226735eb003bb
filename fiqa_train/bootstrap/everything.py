"""Makes every bundled network from nothing: `bootstrap_all` renders once, then trains the three networks."""

from pathlib import Path

import torch

from actors.model_store.catalogue import BUNDLED
from fiqa_train.bootstrap.embedder import PLANS, train_embedder
from fiqa_train.bootstrap.image_text import train_image_text
from fiqa_train.bootstrap.render_set import SetSize, cache_path, cached_render_set
from schemas.model_card import ModelCard


def bootstrap_all(
    out_dir: Path = BUNDLED, seed: int = 0, work_dir: Path = Path("runs/bootstrap"), size: SetSize | None = None
) -> list[ModelCard]:
    """Render, train and publish all bundled networks; returns their cards. About half an hour on two cores.

    The renders are kept in `work_dir` and used again by the next call. Torch is limited to one thread: it is what
    makes the result repeatable on a machine, and more threads gain nothing at this size.
    """
    torch.set_num_threads(1)
    faces = cached_render_set(cache_path(seed, work_dir), seed, size or SetSize())
    cards = [train_embedder(name, faces, out_dir, seed) for name in PLANS]
    return [*cards, train_image_text(faces, out_dir, seed)]
