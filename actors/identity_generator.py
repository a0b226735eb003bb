"""Stage 1: pseudo-identity portraits for a unit of consecutive candidates."""

from dataclasses import replace

from actors.backends import identity_generator
from actors.candidate_table import candidate_table
from actors.imaging import encode_jpeg
from cluster.stage import Resources, Stage, Work
from schemas.config import RunConfig
from schemas.seeds import derive_seed

PORTRAIT_QUALITY = 95


class IdentityGeneratorStage(Stage):
    """Makes the candidates `plan["first"] .. plan["first"] + plan["count"] - 1`."""

    name = "identity_generator"
    resources = Resources(cpus=1, gpus=1.0)

    def __init__(self, config: RunConfig) -> None:
        self._seed = config.run.seed
        self._backend = config.models.identity_generator
        self._size = config.generate.portrait_size
        self.batch_size = config.generate.micro_batch

    def setup(self) -> None:
        """Load the generator."""
        identity_generator(self._backend, self._size)

    def process(self, work: Work) -> Work:
        """Fill in seed, image and attributes of each candidate."""
        model = identity_generator(self._backend, self._size)
        numbers = range(work.plan["first"], work.plan["first"] + work.plan["count"])
        seeds = [derive_seed(self._seed, "candidate", number) for number in numbers]
        candidates = []
        for start in range(0, len(seeds), self.batch_size):
            candidates += model.generate(seeds[start : start + self.batch_size])
        images = [encode_jpeg(candidate.image, PORTRAIT_QUALITY) for candidate in candidates]
        table = candidate_table(work.number, numbers, seeds, images, [c.attributes for c in candidates])
        return replace(work, table=table)
