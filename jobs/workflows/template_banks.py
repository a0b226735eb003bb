"""Makes a template bank, drawn from the run's distributions or measured by an encoder on rejected candidates."""

from collections.abc import Iterator
from dataclasses import fields
from itertools import batched
from pathlib import Path

import pyarrow.compute as pc
import torch

from synfiqa.actors.generation.conditional.candidate_bank import MAX_REFERENCE_YAW, bank_of_candidates
from synfiqa.actors.generation.conditional.diffusion_backend import expression_space
from synfiqa.actors.generation.conditional.diffusion_generator import alignable
from synfiqa.actors.generation.conditional.parametric_bank import parametric_bank
from synfiqa.actors.generation.conditional.template_bank import TemplateBank
from synfiqa.actors.generation.face_model.parameters import FaceParameters
from synfiqa.actors.imaging.codec import decode
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.selection import run_models
from synfiqa.actors.players import Players
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.terminal.output import say
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import JobFailed, UserError

_COLUMNS = ("candidate", "image", "yaw", "status")


def run_templates(
    config: RunConfig, out: Path | str, *, degraded: int = 1000, candidates: Storage | None = None
) -> TemplateBank:
    """Write a bank for the config's face model and number of references; equal arguments give equal bytes.

    It is drawn from the config's distribution of pose, expression and light (references are within 4 degrees of
    frontal, neutral and evenly lit), or measured on the rejected `candidates` of a run, as many as that needs and
    has. UserError or JobFailed when it cannot be made.
    """
    if degraded < 1:
        raise UserError(f"a bank needs at least 1 degraded template, not {degraded}")
    models = run_models(config.models)
    chosen = models.conditional
    if chosen is None:
        raise UserError(
            f"models.conditional_generator is {config.models.conditional_generator}, which takes no templates: give "
            "the config of a run by diffusion, such as configs/paper-tiny.yaml"
        )
    if candidates is None:
        generate = config.generate
        bank = parametric_bank(
            config.run.seed,
            generate.references,
            degraded,
            expression_space(chosen.face_model),
            generate.degraded_distribution,
        )
    else:
        bank = _measured_bank(config, Players(models), chosen.face_encoder, candidates, degraded)
    bank.save(out)
    say(f"{out}: {len(bank.references)} references and {len(bank.degradations)} degraded templates ({bank.source})")
    return bank


def _measured_bank(
    config: RunConfig, players: Players, encoder: Model, storage: Storage, degraded: int
) -> TemplateBank:
    references = config.generate.references
    measured: list[FaceParameters] = []
    yaws: list[float] = []
    numbers: list[int] = []
    # A ledger may hold millions: it is read as far as the bank needs.
    for batch in batched(_rejected(storage), config.models.micro_batch):
        images = [decode(row["image"]["bytes"]) for row in batch]
        for row, image, found in zip(batch, images, players.detector.faces(images), strict=True):
            face = next((face for face in found if alignable(face)), None)
            if face is not None:
                measured.append(players.of(encoder).encode([image], face.box[None]))
                yaws.append(row["yaw"])
                numbers.append(row["candidate"])
        ahead = sum(abs(yaw) < MAX_REFERENCE_YAW for yaw in yaws)
        if ahead >= references and len(measured) >= references + degraded:
            break
    if not measured:
        raise JobFailed(
            f"{storage.uri()} has no rejected candidate with a face: give a run that has rejected some, or draw the "
            "bank from the distribution"
        )
    together = {field.name: torch.cat([getattr(one, field.name) for one in measured]) for field in fields(measured[0])}
    source = f"rejected candidates of {load_run(storage).fingerprint[:12]}"
    return bank_of_candidates(FaceParameters(**together), yaws, references, source, numbers)


def _rejected(storage: Storage) -> Iterator[dict]:
    """Yield the rejected candidates with a measured yaw, in their order."""
    store = ShardStore(storage, load_run(storage).fingerprint)
    for table in store.tables("identities", _COLUMNS):
        rejected = pc.and_(pc.equal(table["status"], "rejected"), pc.is_finite(table["yaw"]))
        yield from table.filter(rejected).to_pylist()
