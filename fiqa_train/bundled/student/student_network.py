"""Trains a network of bundled-a's shape to place faces where its teacher's centred space has them.

The loss of a batch is that of each vector, 1 - cos(s, t), and that of all pairs, the mean squared difference of the two
matrices of cosines (Tung and Mori 2019, similarity-preserving distillation): labels are made of cosines of pairs.
"""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from synfiqa.actors.imaging.gray import standardise
from synfiqa.actors.model_store.architectures.extras import require_extra
from synfiqa.actors.model_store.cache import digest_of
from synfiqa.actors.model_store.catalogue import Model, read_bundled
from synfiqa.actors.model_store.checks.network_cost import gflop
from synfiqa.actors.nets.small_iresnet import SmallIResNet
from synfiqa.actors.players import player
from synfiqa.fiqa_train.bundled.embedder import BATCH, LEARNING_RATE, PLANS, WEIGHT_DECAY
from synfiqa.fiqa_train.bundled.embedder_metrics import match_cosine, verification_rates
from synfiqa.fiqa_train.bundled.one_cycle import train_one_cycle
from synfiqa.fiqa_train.bundled.publish import LICENCE, publish, write_card
from synfiqa.fiqa_train.bundled.render_set import RenderSet
from synfiqa.fiqa_train.bundled.student.student_metrics import agreement, tar_by_fault
from synfiqa.fiqa_train.bundled.student.teacher_space import StudentFaces, faces_with_faults, units_of, vectors_of
from synfiqa.schemas.model_card import ModelCard
from synfiqa.schemas.seeds import derive_seed, generator

NAME = "bundled-student"
SHAPE = PLANS["bundled-a"]
EPOCHS = 30
PAIRS_WEIGHT = 2.0
"""Weight of the loss of pairs beside that of single vectors."""
SHIFT = 1
"""Largest shift in whole pixels by which faces are changed between epochs; the teacher's vector stays."""


def train_student(
    teacher: Model, faces: RenderSet, folder: Path, seed: int, epochs: int = EPOCHS, copies: int = 1
) -> ModelCard:
    """Train a student on the renders of part "train", publish it into the folder and return its card with metrics.

    Metrics are of held-out people: Spearman's correlation of labels with the teacher's, and TAR under strong faults.
    UserError when the teacher needs an extra that is not installed, or its weights are missing.
    """
    require_extra(teacher.card)
    own = derive_seed(seed, "bootstrap", NAME, teacher.name)
    learned = faces_with_faults(faces.of("train"), own, copies)
    embed = player(teacher).embed
    net = fit_student(learned, units_of(vectors_of(embed, learned.crops), learned.reference), own, epochs)
    card = publish(
        net,
        folder,
        name=NAME,
        role="embedder",
        architecture="small-iresnet",
        arguments={
            "in_channels": 1,
            "widths": list(SHAPE.widths),
            "blocks": list(SHAPE.blocks),
            "embedding_dim": net.project.out_features,
        },
        input_size=112,
        channels="gray",
        value_range=None,
        normalise="per-image",
        output=f"unit vector ({net.project.out_features},) in the centred space of {teacher.name}; cosines -1..1",
        cost_gflop=round(gflop(net, torch.zeros(1, 1, 112, 112)), 4),
        trained_on=f"{len(learned.crops)} renders of this project's procedural heads under faults of a camera, as a "
        f"student of {teacher.name} ({digest_of(teacher)[:12]}), bootstrap seed {seed}",
        command=f"synfiqa bootstrap --part student --teacher {teacher.name} --seed {seed}",
    )
    student = player(read_bundled(folder / f"{NAME}.yaml")).embed
    rest = faces.select((faces.part == "clean") | (faces.part == "varied"))
    rates = verification_rates(student, rest)
    judged = faces_with_faults(rest, derive_seed(own, "held out"))
    metrics = {"label_spearman": agreement(embed, student, judged)}
    for name, network in (("teacher", embed), ("student", student)):
        tar = tar_by_fault(network, rest.of("clean"), own)
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


def fit_student(faces: StudentFaces, targets: np.ndarray, seed: int, epochs: int) -> SmallIResNet:
    """Train with `matching_loss` and a one-cycle learning rate, in bfloat16 autocast, and return the network.

    targets: the teacher's centred vectors of the faces, float32 (N, D).
    """
    torch.manual_seed(seed)
    rng = generator(seed)
    gray = np.stack([cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in faces.crops])
    wanted = torch.from_numpy(targets)
    net = SmallIResNet(widths=SHAPE.widths, blocks=SHAPE.blocks, embedding_dim=targets.shape[1]).train()
    steps = max(1, len(gray) // BATCH)

    def losses(epoch: int) -> Iterator[Tensor]:
        order = rng.permutation(len(gray))
        for step in range(steps):
            rows = order[step * BATCH : (step + 1) * BATCH]
            batch = torch.from_numpy(np.stack([_shifted(gray[row], rng) for row in rows])).float()
            with torch.autocast("cpu", torch.bfloat16):
                embedding = net(standardise(batch))
            yield matching_loss(embedding.float(), wanted[rows])

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


def _shifted(gray: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    x, y = (int(value) for value in rng.integers(-SHIFT, SHIFT + 1, size=2))
    height, width = gray.shape
    padded = cv2.copyMakeBorder(gray, SHIFT, SHIFT, SHIFT, SHIFT, cv2.BORDER_REPLICATE)
    return np.asarray(padded[SHIFT + y : SHIFT + y + height, SHIFT + x : SHIFT + x + width])
