"""The cost of a photograph is measured part by part, and the parts add up to less than all."""

from benchmarks.speed.faces.photographs import ALL, PARTS, milliseconds
from synfiqa.schemas.config.run import RunConfig


def test_every_part_of_a_photograph_is_measured():
    generate = {"references": 2, "degraded": 2, "profile": "camera", "people": "varied", "portrait_size": 128}
    spent = milliseconds(RunConfig.model_validate({"generate": generate}), 3, 1)
    assert set(spent) == {*PARTS, ALL}
    assert all(value > 0 for value in spent.values())
    assert spent[ALL] > sum(spent[part] for part in ("render", "photograph", "detection", "alignment", "encode"))
    assert spent["render"] > spent["of it an identity's assets"]
