import json

import numpy as np
import pytest

from synfiqa.actors.generation.conditional.template_bank import Template, TemplateBank, conditions_of
from synfiqa.schemas.errors import UserError


def template(token, value=0.0, expression=50):
    def row(*shape):
        return np.full(shape, value, np.float32)

    return Template(token, row(6), row(9, 3), row(expression), row(3), row(3, 3), {"yaw": 12.5, "made": "here"})


def bank(references=10, degradations=30):
    return TemplateBank(
        tuple(template(f"r{index}", index) for index in range(references)),
        tuple(template(f"d{index}", index / 7) for index in range(degradations)),
        "test",
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bank.json"


@pytest.fixture
def document(path):
    bank(2, 3).save(path)
    return json.loads(path.read_text())


def test_a_bank_comes_back_to_the_last_bit_and_equal_banks_are_equal_files(path, tmp_path):
    bank().save(path)
    found = TemplateBank.load(path)
    assert found.source == "test"
    assert found.expression_size == 50
    for ours, theirs in zip(
        (*bank().references, *bank().degradations), (*found.references, *found.degradations), strict=True
    ):
        assert (ours.token, ours.tags) == (theirs.token, theirs.tags)
        for name in ("pose", "light", "expression", "camera", "tform"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    found.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()
    assert sorted(tmp_path.iterdir()) == [tmp_path / "again.json", path]


def test_the_published_layout_is_read_in_the_order_of_tokens(path):
    def published(value):
        arrays = {"pose": (1, 6), "light": (1, 9, 3), "exp": (1, 50), "cam": (1, 3), "tform": (1, 3, 3)}
        return {"deca": {name: np.full(shape, value).tolist() for name, shape in arrays.items()}}

    path.write_text(json.dumps({"REF": {"b": published(2), "a": published(1)}, "DEG": {"c": published(3)}}))
    found = TemplateBank.load(path)
    assert [(item.token, item.camera[0]) for item in found.references] == [("a", 1), ("b", 2)]
    assert found.degradations[0].light.shape == (9, 3)
    assert found.expression_size == 50


def test_every_identity_is_shown_under_all_references():
    assert [item.token for item in bank().reference(10)] == [f"r{index}" for index in range(10)]
    for count in (9, 11):
        with pytest.raises(UserError, match=f"holds 10 references but the run asks for {count}"):
            bank().reference(count)


def test_degraded_templates_are_drawn_without_replacement_and_by_the_seed_alone():
    drawn = [item.token for item in bank().degraded(5, 30)]
    assert sorted(drawn) == sorted(f"d{index}" for index in range(30))
    assert drawn == [item.token for item in bank().degraded(5, 30)]
    assert drawn[:7] == [item.token for item in bank().degraded(5, 7)]
    assert drawn != [item.token for item in bank().degraded(6, 30)]


def test_every_template_is_as_likely_as_any_other():
    counts = np.zeros(30)
    for seed in range(300):
        counts[[int(item.token[1:]) for item in bank().degraded(seed, 5)]] += 1
    # 50 of each are expected, with a deviation of 6.5.
    assert counts.min() > 20
    assert counts.max() < 80


def test_a_bank_that_is_too_small_says_what_it_lacks():
    with pytest.raises(UserError, match="holds 30 degraded templates but an identity needs 31"):
        bank().degraded(0, 31)


def test_templates_become_conditions():
    found = conditions_of(bank(2, 1).references)
    assert found.light.shape == (2, 9, 3)
    assert found.pose[:, 0].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda d: d["REF"].clear(), "REF is empty"),
        (lambda d: d["DEG"].clear(), "DEG is empty"),
        (lambda d: d.pop("DEG"), "no REF and DEG"),
        (lambda d: d.update(version=9), "version 9; this program reads 1"),
        (lambda d: d["DEG"][1].pop("light"), r"DEG\[1\] has no light"),
        (lambda d: d["DEG"][1].update(pose=[0, 0, 0]), r"DEG\[1\]\.pose must be 6 finite numbers, not one of shape"),
        (lambda d: d["REF"][0].update(light=[[0] * 9] * 3), r"REF\[0\]\.light must be 9 x 3 finite"),
        (lambda d: d["REF"][0]["camera"].__setitem__(1, float("nan")), r"camera must be 3 .* that are not finite"),
        (lambda d: d["REF"][0].update(expression=[]), r"expression must be a row of finite"),
        (lambda d: d["REF"][0].update(expression=[0, 1]), r"expressions have \[2, 50\] numbers"),
        (lambda d: d["REF"][0].update(tform="left"), r"tform is no array of numbers"),
        (lambda d: d["REF"][0].update(tags=[1]), r"tags must map"),
        (lambda d: d["REF"].append(7), r"REF\[2\] is no template"),
        (lambda d: d.update(REF="all"), r"REF\[0\] is no template"),
        (lambda d: d.update(REF={"a": {"deca": {}}}), r"published layout"),
    ],
)
def test_wrong_banks_are_refused_by_name(path, document, change, complaint):
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(UserError, match=complaint):
        TemplateBank.load(path)


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff\xfe"])
def test_files_that_are_no_bank_are_refused(path, content):
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="is no template bank"):
        TemplateBank.load(path)
