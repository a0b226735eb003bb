"""Trains a small network to place faces where its teacher's centred space has them.

The loss of a batch is that of each vector, 1 - cos(s, t), and that of all pairs, the mean squared difference of the two
matrices of cosines (Tung and Mori 2019, similarity-preserving distillation): labels are made of cosines of pairs. Since
these are cosines of one person's faces, a batch has several faces of each of its people. Faces are read in colour and
in their own light, as the teacher reads them; standardised ones would hide darkness from the student.
"""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from synfiqa.actors.model_store.cache import digest_of
from synfiqa.actors.model_store.catalogue import Model, read_bundled
from synfiqa.actors.model_store.checks.network_cost import gflop
from synfiqa.actors.nets.small_iresnet import SmallIResNet
from synfiqa.actors.players import player
from synfiqa.fiqa_train.bundled.embedder import LEARNING_RATE, PLANS, WEIGHT_DECAY
from synfiqa.fiqa_train.bundled.embedder_metrics import match_cosine
from synfiqa.fiqa_train.bundled.one_cycle import train_one_cycle
from synfiqa.fiqa_train.bundled.publish import LICENCE, publish, write_card
from synfiqa.fiqa_train.bundled.student.run_faces import RunFaces, seen_and_held_out
from synfiqa.fiqa_train.bundled.student.student_metrics import (
    agreement,
    student_rates,
    tar_by_fault,
    units_of,
    vectors_of,
)
from synfiqa.schemas.model_card import ModelCard
from synfiqa.schemas.seeds import derive_seed, generator

NAME = "bundled-student"
SHAPE = PLANS["bundled-a"]
EPOCHS = 10
PEOPLE, FACES_EACH = 4, 8
"""People of a batch, and faces of each."""
PAIRS_WEIGHT = 2.0
"""Weight of the loss of pairs beside that of single vectors."""
SHIFT = 1
"""Largest shift in whole pixels by which faces are changed between epochs; the teacher's vector stays."""


def train_student(
    teacher: Model, faces: RunFaces, fingerprint: str, folder: Path, seed: int, epochs: int = EPOCHS
) -> ModelCard:
    """Train a student on most people of a run, publish it into the folder and return its card with metrics.

    Metrics are of the other people: Spearman's correlation of labels with the teacher's, and TAR under strong faults.
    UserError when the run has fewer than three people.
    """
    own = derive_seed(seed, "bootstrap", NAME, teacher.name)
    learned, rest = seen_and_held_out(faces, seed)
    net = fit_student(learned, units_of(learned.vectors, learned.reference), own, epochs)
    card = publish(
        net,
        folder,
        name=NAME,
        role="embedder",
        architecture="small-iresnet",
        arguments={
            "in_channels": 3,
            "widths": list(SHAPE.widths),
            "blocks": list(SHAPE.blocks),
            "embedding_dim": net.project.out_features,
        },
        input_size=112,
        channels="rgb",
        value_range=(-1.0, 1.0),
        normalise="range",
        output=f"unit vector ({net.project.out_features},) in the centred space of {teacher.name}; cosines -1..1",
        cost_gflop=round(gflop(net, torch.zeros(1, 3, 112, 112)), 4),
        trained_on=f"{len(learned.crops)} faces of {len(np.unique(learned.identity))} rendered people, run "
        f"{fingerprint[:16]}, as a student of {teacher.name} ({digest_of(teacher)[:12]}), bootstrap seed {seed}",
        command=f"synfiqa bootstrap --part student --teacher {teacher.name} --seed {seed}",
    )
    embed = player(read_bundled(folder / f"{NAME}.yaml")).embed
    vectors = vectors_of(embed, rest.crops)
    rates = student_rates(vectors, rest)
    metrics = {"label_spearman": agreement(vectors, rest)}
    for name, network in (("teacher", player(teacher).embed), ("student", embed)):
        tar = tar_by_fault(network, rest.select(rest.reference), own)
        metrics |= {f"{name}_tar_{fault}": rate for fault, rate in tar.items()}
    rounded = {key: round(value, 4) for key, value in (metrics | rates).items()}
    free = teacher.card.commercial_use
    licence = LICENCE if free else f"that of its teacher: {teacher.card.licence}"
    changes = {"metrics": rounded, "match_cosine": match_cosine(rates), "commercial_use": free, "licence": licence}
    card = card.model_copy(update=changes)
    write_card(card, folder)
    return card


def matching_loss(student: Tensor, target: Tensor) -> Tensor:
    """Return the loss of vectors (B, D) against centred unit vectors (B, D) of the teacher: of each, and of pairs."""
    unit = functional.normalize(student)
    single = 1 - (unit * target).sum(dim=1).mean()
    pairs = (unit @ unit.T - target @ target.T).square().mean()
    return single + PAIRS_WEIGHT * pairs


def fit_student(faces: RunFaces, targets: np.ndarray, seed: int, epochs: int) -> SmallIResNet:
    """Train with `matching_loss` and a one-cycle learning rate and return the network.

    targets: the teacher's centred vectors of the faces, float32 (N, D).
    """
    torch.manual_seed(seed)
    rng = generator(seed)
    wanted = torch.from_numpy(targets)
    net = SmallIResNet(3, widths=SHAPE.widths, blocks=SHAPE.blocks, embedding_dim=targets.shape[1]).train()
    steps = len(grouped_batches(faces.identity, rng))

    def losses(epoch: int) -> Iterator[Tensor]:
        for rows in grouped_batches(faces.identity, rng):
            pixels = np.stack([_shifted(faces.crops[row], rng) for row in rows])
            batch = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
            yield matching_loss(net(batch.contiguous(memory_format=torch.channels_last)).float(), wanted[rows])

    # The schedule divides by the length of its rise, which is 0 steps for no whole number of them at this share.
    train_one_cycle(
        net.parameters(),
        losses,
        epochs=epochs,
        steps=steps,
        rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        rise=0.12,
    )
    return net.eval()


def grouped_batches(identity: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Return rows of batches of an epoch: `PEOPLE` groups of up to `FACES_EACH` faces of one person, each face once.

    The last batch may have fewer groups.
    """
    groups = []
    for person in np.unique(identity):
        rows = rng.permutation(np.flatnonzero(identity == person))
        groups += [rows[start : start + FACES_EACH] for start in range(0, len(rows), FACES_EACH)]
    order = rng.permutation(len(groups))
    return [
        np.concatenate([groups[group] for group in order[start : start + PEOPLE]])
        for start in range(0, len(order), PEOPLE)
    ]


def _shifted(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    x, y = (int(value) for value in rng.integers(-SHIFT, SHIFT + 1, size=2))
    height, width = crop.shape[:2]
    padded = cv2.copyMakeBorder(crop, SHIFT, SHIFT, SHIFT, SHIFT, cv2.BORDER_REPLICATE)
    return np.asarray(padded[SHIFT + y : SHIFT + y + height, SHIFT + x : SHIFT + x + width])
