"""Training of all bundled networks of labels and evaluation: renders once, then trains them in parallel."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch

from synfiqa.actors.model_store.catalogue import BUNDLED
from synfiqa.fiqa_train.bundled.embedder import PLANS, train_embedder
from synfiqa.fiqa_train.bundled.image_text_model import EPOCHS, NAME, THREADS, train_image_text
from synfiqa.fiqa_train.bundled.render_set import SetSize, cache_path, cached_render_set
from synfiqa.schemas.model_card import ModelCard

NETWORKS = (*PLANS, NAME)
"""Names of the networks in the order of their training."""


def train_networks(
    out_dir: Path = BUNDLED,
    seed: int = 0,
    work_dir: Path = Path("runs/bootstrap"),
    size: SetSize | None = None,
    epochs: int | None = None,
) -> list[ModelCard]:
    """Render, train and publish the embedders and the image-text network in two processes; returns their cards.

    The renders are kept in `work_dir` for the next call. The number of torch threads is fixed, so that the result is
    repeatable on a machine: one for each embedder, two for the image-text network. `epochs` overrides those of each
    network's plan.
    """
    # The image-text network comes last and soon has both cores.
    size = size or SetSize()
    cached_render_set(cache_path(seed, work_dir), seed, size)
    jobs = [(name, out_dir, seed, work_dir, size, epochs) for name in NETWORKS]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return list(pool.map(_train, jobs))


def _train(job: tuple[str, Path, int, Path, SetSize, int | None]) -> ModelCard:
    name, out_dir, seed, work_dir, size, epochs = job
    torch.set_num_threads(THREADS if name == NAME else 1)
    faces = cached_render_set(cache_path(seed, work_dir), seed, size)
    if name == NAME:
        return train_image_text(faces, out_dir, seed, epochs or EPOCHS)
    return train_embedder(name, faces, out_dir, seed, epochs)
