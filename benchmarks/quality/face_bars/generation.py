"""Bar of the CPU time of an image from recipe to JPEG, by the sample half's own stage, textures included."""

import time

import numpy as np
import pyarrow as pa
import torch

from benchmarks.quality.face_bars.bar import Bar
from benchmarks.quality.face_bars.ladders.people import identity_seed
from benchmarks.quality.face_bars.settings import Settings
from synfiqa.actors.imaging.codec import encode_jpeg
from synfiqa.actors.model_store.resolved_run import resolve
from synfiqa.actors.stages.conditional_generator import ConditionalGeneratorStage
from synfiqa.cluster.pipeline.stage import Work
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.rows import IDENTITIES, image_path

SUBJECT = "generation"


def measure(settings: Settings) -> list[Bar]:
    """Measure CPU milliseconds an image: render, composite, degrade, align and encode 24 recipes of each identity."""
    torch.set_num_threads(1)
    config = RunConfig.model_validate({"run": {"seed": settings.seed}})
    stage = ConditionalGeneratorStage(resolve(config))
    stage.setup()
    images = config.generate.references + config.generate.degraded
    stage.process(_work(settings.seed, 0))  # warm-up: work of the first call alone is not counted
    took = []
    for number in range(1, settings.timed + 1):
        work = _work(settings.seed, number)
        start = time.process_time()
        made = stage.process(work)
        took.append(1000 * (time.process_time() - start) / made.table.num_rows)
    note = (
        f"CPU, one thread; {settings.timed} identities x {images} recipes at portrait_size "
        f"{config.generate.portrait_size}, by identity {min(took):.1f} to {max(took):.1f}"
    )
    return [Bar(SUBJECT, "an aligned 112 px image, all-in", float(np.median(took)), 30.0, unit="ms", note=note)]


def _work(seed: int, number: int) -> Work:
    nothing = {"bytes": encode_jpeg(np.zeros((8, 8, 3), np.uint8), 90), "path": image_path(number, "reference", 0)}
    row = {"identity": number, "candidate": number, "seed": identity_seed(seed, number), "attributes": "{}"}
    return Work("samples", number, pa.Table.from_pylist([{**row, "image": nothing}], schema=IDENTITIES))
