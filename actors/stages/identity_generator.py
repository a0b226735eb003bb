"""Stage 1: pseudo-identity portraits for a unit of candidates."""

from collections.abc import Iterator

from synfiqa.actors.imaging.codec import encode_jpeg
from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.actors.stages.candidate_table import candidate_numbers, candidate_table, dead_candidate, fresh_candidate
from synfiqa.actors.stages.model_stage import ModelStage
from synfiqa.cluster.pipeline.salvage import Salvage
from synfiqa.cluster.pipeline.stage import Resources, Work
from synfiqa.schemas.seeds import derive_seed

PORTRAIT_QUALITY = 95


class IdentityGeneratorStage(ModelStage):
    """Makes the candidates that the unit's plan names."""

    name = "identity_generator"
    resources = Resources(cpus=1, gpus=1.0)

    def __init__(self, run: ResolvedRun) -> None:
        super().__init__(run)
        self._seed = run.config.run.seed
        self._play(run.models.identity_generator)
        self.batch_size = run.config.generate.micro_batch

    def process(self, work: Work) -> Work:
        """Fill in seed, image and attributes of each candidate; one that cannot be made is dead."""
        numbers = candidate_numbers(work.plan)
        salvage = Salvage(self)
        rows = salvage.map(
            numbers,
            lambda batch: list(self._fresh(work.number, batch)),
            self.batch_size,
            name=str,
            spec=lambda number: candidate_spec(self._seed, number),
        )
        errors = {row.item: row.error for row in salvage.dead}
        table = candidate_table(
            [
                row or dead_candidate(work.number, number, candidate_seed(self._seed, number), errors[str(number)])
                for number, row in zip(numbers, rows, strict=True)
            ]
        )
        return salvage.finish(work, table)

    def _fresh(self, unit: int, numbers: list[int]) -> Iterator[dict]:
        seeds = [candidate_seed(self._seed, number) for number in numbers]
        made = self._players.identity_generator.generate(seeds)
        for number, seed, candidate in zip(numbers, seeds, made, strict=True):
            image = encode_jpeg(candidate.image, PORTRAIT_QUALITY)
            yield fresh_candidate(unit, number, seed, image, candidate.attributes)


def candidate_seed(run_seed: int, number: int) -> int:
    """Return the seed from which a candidate is made."""
    return derive_seed(run_seed, "candidate", number)


def candidate_spec(run_seed: int, number: int) -> dict[str, int]:
    """Return all that a candidate is made from, apart from the models."""
    return {"candidate": number, "seed": candidate_seed(run_seed, number)}
