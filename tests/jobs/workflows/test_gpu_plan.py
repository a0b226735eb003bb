"""Calibration: each stage meets a real unit, the arithmetic is shown, and the snippet is a placement section."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import yaml

from synfiqa.actors.stages.candidate_table import candidate_table
from synfiqa.actors.stages.memory_footprint import Footprint
from synfiqa.cluster.pipeline.layout.gpu_packing import MOST_WORKERS, check_packing
from synfiqa.cluster.pipeline.stage import Stage
from synfiqa.jobs.generation.stages import Stages
from synfiqa.jobs.workflows.gpu_plan import LENIENT, run_calibrate
from synfiqa.schemas.config.generate import FilterSection
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.manifest import DeadRow
from synfiqa.schemas.rows import IDENTITIES, SAMPLES

NEEDS = {"generator": 3000.4, "filter": 1200.0, "sampler": 7000.0, "annotator": 2100.0}


class Stub(Stage):
    def __init__(self, name, rows):
        self.name, self._rows = name, rows
        self.models = (f"net-of-{name}",)

    def process(self, work):
        return self._rows(work)


def candidates(work):
    numbers = range(work.plan["first"], work.plan["first"] + work.plan["count"])
    row = {"unit": 0, "seed": 5, "image": {"bytes": b"jpeg", "path": "a.jpg"}, "attributes": "{}", "status": ""}
    return replace(work, table=candidate_table([{**row, "candidate": number} for number in numbers]))


def rejecting(*rejected):
    def judge(work):
        rows = work.table.to_pylist()
        for row in rows:
            row["status"] = "rejected" if row["candidate"] in rejected else ""
        return replace(work, table=candidate_table(rows))

    return judge


def samples(work):
    return replace(work, table=SAMPLES.empty_table())


class Measured:
    """Stands in for `measure`: runs the stage here and knows what it needs."""

    def __init__(self, device="cuda", capacity=80_000.0):
        self.device, self.capacity, self.works, self.asked = device, capacity, {}, set()
        self.context = 400.0

    def __call__(self, stage, work, device):
        self.works[stage.name] = work
        self.asked.add(device)
        need = NEEDS[stage.name]
        return Footprint(need / 2, need - 400, self.context, self.device, self.capacity), stage.process(work)


@pytest.fixture
def measured(monkeypatch):
    stand_in = Measured()
    monkeypatch.setattr("synfiqa.jobs.workflows.gpu_plan.measure", stand_in)
    return stand_in


PASSING = rejecting()


def stages(judge=PASSING, sampler=samples):
    return Stages(
        identities=lambda _: [Stub("generator", candidates), Stub("filter", judge)],
        samples=lambda _: [Stub("sampler", sampler), Stub("annotator", samples)],
    )


def test_every_stage_is_measured_and_packed(measured, capsys):
    found = run_calibrate(RunConfig(), stages=stages())
    assert list(found["stages"]) == list(NEEDS)
    assert found["placement"] == {
        "gpu_memory_mb": 80_000,
        "memory_mb": {"generator": 3001, "filter": 1200, "sampler": 7000, "annotator": 2100},
    }
    assert {name: share["per_gpu"] for name, share in found["shares"].items()} == {
        "generator": 25,
        "filter": 63,
        "sampler": 10,
        "annotator": 36,
    }
    json.dumps(found)
    text = capsys.readouterr().out
    assert "annotator: 2,100 MB at its peak on cuda = 1,700 MB of its own" in text
    assert "(1,050 MB once set up with net-of-annotator) + 400 MB CUDA context" in text
    assert "annotator: 2,100 MB at its peak, 80,000 MB a GPU less 5 % = 36 workers, 1/36 GPU each" in text


def test_the_snippet_is_what_the_dictionary_says_and_packs(measured, capsys):
    found = run_calibrate(RunConfig(), stages=stages())
    text = capsys.readouterr().out
    snippet = yaml.safe_load(text[text.index("placement:") :])
    assert snippet == {"placement": found["placement"]}
    RunConfig.model_validate(snippet)
    shares = {name: share["fraction"] for name, share in found["shares"].items()}
    check_packing(snippet["placement"]["memory_mb"], shares, snippet["placement"]["gpu_memory_mb"])


def test_units_are_made_from_the_config(measured):
    config = RunConfig.model_validate(
        {"generate": {"candidates_per_unit": 6, "micro_batch": 4}, "placement": {"device": "cpu"}}
    )
    run_calibrate(config, 8000, stages(rejecting(0, 1)))
    assert measured.asked == {"cpu"}
    assert measured.works["generator"].plan == {"first": 0, "count": 4}
    source = measured.works["sampler"]
    assert source.table.schema == IDENTITIES
    assert source.table.select(["identity", "candidate", "seed"]).to_pylist() == [
        {"identity": 0, "candidate": 2, "seed": 5}
    ]


def test_where_nobody_passes_a_rejected_candidate_will_do(measured):
    run_calibrate(RunConfig(), stages=stages(rejecting(*range(100))))
    assert measured.works["sampler"].table["candidate"].to_pylist() == [0]


def test_the_filter_lets_every_face_pass(measured):
    seen = []

    def remember(run):
        seen.append(run.config.filter)
        return stages().identities(run)

    run_calibrate(RunConfig(), stages=Stages(identities=remember, samples=stages().samples))
    (rules,) = seen
    assert FilterSection.model_validate(rules.model_dump()) == RunConfig().filter.model_copy(update=LENIENT)


def test_a_gpu_of_another_size_is_planned_for(measured):
    assert run_calibrate(RunConfig(), 8000, stages())["shares"]["sampler"]["per_gpu"] == 1
    with pytest.raises(UserError, match="sampler: 7,000 MB at its peak, 7,000 MB a GPU less 5 % leaves"):
        run_calibrate(RunConfig(), 7000, stages())


def test_a_stage_that_leaves_the_gpu_alone_still_has_a_share(measured, monkeypatch):
    monkeypatch.setitem(NEEDS, "sampler", 400.0)
    monkeypatch.setattr(measured, "context", 0.0)
    found = run_calibrate(RunConfig(), stages=stages())
    assert found["placement"]["memory_mb"]["sampler"] == 1
    assert found["shares"]["sampler"]["per_gpu"] == MOST_WORKERS


def test_without_a_gpu_there_is_nothing_to_pack(measured, capsys):
    measured.device, measured.capacity = "cpu", 0.0
    found = run_calibrate(RunConfig(), stages=stages())
    assert found["shares"] == {}
    text = capsys.readouterr().out
    assert "give --gpu-memory-mb to plan for one" in text
    assert list(yaml.safe_load(text[text.index("placement:") :])["placement"]) == ["memory_mb"]
    run_calibrate(RunConfig(), 8000, stages())
    assert "measured on a CPU" in capsys.readouterr().out


def test_a_stage_that_fails_on_its_rows_is_told(measured):
    def fail(work):
        dead = DeadRow(item="000000/1", stage="sampler", error="RuntimeError: wrong shape", node="here", attempts=2)
        return replace(work, table=SAMPLES.empty_table(), dead=(dead,))

    with pytest.raises(JobFailed, match=r"sampler fails on 1 rows \(RuntimeError: wrong shape"):
        run_calibrate(RunConfig(), stages=stages(sampler=fail))


def test_a_generator_of_nothing_is_told(measured):
    empty = stages(lambda work: replace(work, table=candidate_table([])))
    with pytest.raises(JobFailed, match="returned no candidate"):
        run_calibrate(RunConfig(), stages=empty)


def test_memory_that_ran_out_is_told(measured, capsys):
    run_calibrate(
        RunConfig(), stages=stages(sampler=lambda work: replace(samples(work), notes={"micro_batch_sampler": "4"}))
    )
    assert "memory ran out, this is with micro-batches of 4" in capsys.readouterr().out


def test_the_real_stages_run_on_what_is_made_for_them(monkeypatch, capsys):
    # Threads in place of processes: the numbers mean nothing here, the units do.
    monkeypatch.setattr("synfiqa.actors.stages.memory_footprint._process", lambda: ThreadPoolExecutor(1))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    config = RunConfig.model_validate(
        {
            "generate": {"portrait_size": 64, "references": 2, "degraded": 2, "micro_batch": 2},
            "placement": {"device": "cpu"},
        }
    )
    found = run_calibrate(config, 80_000)
    assert list(found["stages"]) == ["identity_generator", "identity_filter", "conditional_generator", "annotator"]
    assert all(share["per_gpu"] >= 1 for share in found["shares"].values())
