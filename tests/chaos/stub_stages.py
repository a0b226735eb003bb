"""Stages of a real job without models: same reading, batching, salvage and rows, pixels from a hash.

The job system is under test, so a scenario must spend its time there and not in a renderer.
"""

import hashlib
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synfiqa.actors.stages.annotator import AnnotatorStage
from synfiqa.actors.stages.candidate_table import fresh_candidate
from synfiqa.actors.stages.conditional_generator import ConditionalGeneratorStage
from synfiqa.actors.stages.identity_filter import IdentityFilterStage
from synfiqa.actors.stages.identity_generator import IdentityGeneratorStage, candidate_seed
from synfiqa.cluster.pipeline.node_libraries import require_libraries
from synfiqa.cluster.pipeline.stage import Work
from synfiqa.jobs.generation.stages import Stages
from synfiqa.schemas.rows import image_path, recipe_to_row, sample_id

IMAGE_BYTES = 3000
NODE, BROKEN = "SYNFIQA_CHAOS_NODE", "SYNFIQA_CHAOS_BROKEN"
"""Variables of a raylet, which its workers inherit: the name of the node, and whether stages cannot be set up there."""
MACHINE = "RAY_CLOUD_INSTANCE_ID"
"""Variable of a raylet that Ray's autoscaler has started: the name of its machine, the node where NODE is not set."""
LONGEST_HOLD_S = 20.0


@dataclass(frozen=True)
class Trouble:
    """Faults inside the stages: share of rows that raise, rows that raise by name, rows that kill.

    `log` gets a line for each unit and stage with the name of the node, so that recomputation can be counted. A unit
    takes `seconds` and up to `jitter` more; while a file `hold` exists, it waits, up to LONGEST_HOLD_S, so that the run
    does not end before a node has joined.
    """

    poison: float = 0.0
    rows: tuple[str, ...] = ()
    killers: tuple[str, ...] = ()
    seconds: float = 0.0
    jitter: float = 0.0
    log: str = ""
    hold: str = ""

    def strike(self, name: str) -> None:
        """Raise or exit for a faulty row; the choice depends on the name of the row alone."""
        if name in self.killers:
            os._exit(1)
        if name in self.rows or _number("poison", name) % 10_000 < self.poison * 10_000:
            raise ValueError(f"row {name} is poison")

    def begin(self, stage: str, work: Work) -> None:
        """Log that a stage starts on a unit, and sleep for the time of a model."""
        if self.log:
            node = os.environ.get(NODE) or os.environ.get(MACHINE, "")
            with Path(self.log).open("a") as file:
                file.write(f"{stage} {work.kind} {work.number} {node}\n")
        # The duration is random, since the order of completion must not matter.
        time.sleep(self.seconds + random.random() * self.jitter)
        began = time.monotonic()
        while self.hold and Path(self.hold).exists() and time.monotonic() - began < LONGEST_HOLD_S:
            time.sleep(0.05)


def _number(*parts: object) -> int:
    digest = hashlib.sha256(" ".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _pixels(*parts: object) -> bytes:
    return np.random.default_rng(_number(*parts)).bytes(IMAGE_BYTES)


class _Stub:
    """Mixin that replaces the loading of a model by faults, and keeps the comparison of libraries."""

    def __init__(self, resolved, trouble):
        super().__init__(resolved)
        self._trouble = trouble

    def setup_on_node(self):
        require_libraries(self._libraries)

    def setup(self):
        if BROKEN in os.environ:
            raise FileNotFoundError("no such weights")

    def process(self, work):
        self._trouble.begin(self.name, work)
        return super().process(work)


class StubIdentityGenerator(_Stub, IdentityGeneratorStage):
    def _fresh(self, unit, numbers):
        for number in numbers:
            self._trouble.strike(f"candidate-{number}")
            seed = candidate_seed(self._seed, number)
            yield fresh_candidate(unit, number, seed, _pixels("portrait", seed), {"skin": number % 7})


class StubIdentityFilter(_Stub, IdentityFilterStage):
    def _judge(self, rows):
        return [self._verdict(row["seed"]) for row in rows]

    def _verdict(self, seed):
        reason = "yaw" if _number("yaw", seed) % 10 < 3 else ""
        vector = np.random.default_rng(_number("embedding", seed)).normal(size=16)
        vector /= np.linalg.norm(vector)
        return {
            "detection": 0.9,
            "yaw": 30.0 if reason else 1.0,
            "embedding": None if reason else vector.astype(np.float32).tolist(),
            "status": "rejected" if reason else "",
            "reason": reason,
            "value": 30.0 if reason else None,
        }


class StubConditionalGenerator(_Stub, ConditionalGeneratorStage):
    def _make(self, source, batch):
        rows = []
        for item in batch:
            name = sample_id(source["identity"], item.recipe.kind, item.index)
            self._trouble.strike(name)
            path = image_path(source["identity"], item.recipe.kind, item.index)
            rows.append(
                {
                    **recipe_to_row(item.recipe),
                    "sample_id": name,
                    "identity": source["identity"],
                    "candidate": source["candidate"],
                    "index": item.index,
                    "image": {"bytes": _pixels("sample", item.recipe.seed), "path": path},
                    "measured_yaw": item.recipe.pose.yaw,
                }
            )
        return rows


class StubAnnotator(_Stub, AnnotatorStage):
    def _measure(self, rows):
        measured = []
        for row in rows:
            self._trouble.strike(f"annotate-{row['sample_id']}")
            vector = np.random.default_rng(_number("face", row["seed"])).normal(size=16).astype(np.float32)
            measured.append(([vector / np.linalg.norm(vector)], _number("text", row["seed"]) % 1000 / 2000, {}))
        return measured


def stub_stages(trouble: Trouble) -> Stages:
    """Return the stages of both halves with faults."""
    return Stages(
        identities=lambda run: [StubIdentityGenerator(run, trouble), StubIdentityFilter(run, trouble)],
        samples=lambda run: [StubConditionalGenerator(run, trouble), StubAnnotator(run, trouble)],
    )
