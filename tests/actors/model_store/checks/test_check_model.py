import dataclasses
import os

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from synfiqa.actors.model_store.architectures.table import ARCHITECTURES
from synfiqa.actors.model_store.catalogue import Model, bundled
from synfiqa.actors.model_store.checks import check_model as check
from synfiqa.actors.model_store.checks.canary import LENGTH, TOLERANCE, answer_of, wrong_cards
from synfiqa.actors.model_store.checks.check_model import check_model, sensitivities
from synfiqa.actors.model_store.digest import weights_digest
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard
from tests.actors.model_store.cards import card, model, weights
from tests.actors.model_store.checks.test_canary import NETWORKS, card_of

UNPROVEN = "no canary recorded: the input contract is as its card says, unproven"


class Colours:
    """A player that answers with the mean colours of its input, as its card describes it."""

    def __init__(self, own: ModelCard, *, blind: bool = False, fails: Exception | None = None) -> None:
        self.card, self.blind, self.fails = own, blind, fails
        self.seen: list[ModelCard] = []

    def embed(self, images: np.ndarray) -> np.ndarray:
        self.seen.append(self.card)
        if self.fails and len(self.seen) > 1:
            raise self.fails
        if self.blind:
            return np.ones((len(images), 3))
        means = images.mean(axis=(1, 2)) / 255
        low, high = self.card.value_range
        values = means[:, ::-1] if self.card.channels == "bgr" else means
        return values * (high - low) + low + self.card.input_size / 1000


@pytest.fixture
def colours(monkeypatch):
    """Lets `check_model` play this object, whatever the card says."""

    def use(player):
        monkeypatch.setattr(check, "play", lambda *_: player)

    return use


def colourful(**changes: object) -> ModelCard:
    fields = {"architecture": "insightface-iresnet", "arguments": {}, "channels": "rgb", "normalise": "range"}
    return card(**fields | {"value_range": (-1, 1)} | changes)


def recorded(folder, **changes) -> tuple[dict, tuple[float, ...]]:
    """Return the fields of a card with weights, and its answer."""
    path, digest = weights(folder)
    fields = {"source": path.name, "sha256": digest} | changes
    return fields, check_model(model(folder, **fields)).answer


def test_a_card_that_tells_the_truth_passes_and_says_what_to_record(tmp_path):
    fields, answer = recorded(tmp_path)
    assert len(answer) == LENGTH
    assert np.linalg.norm(answer) == pytest.approx(1, abs=1e-5)
    finding = check_model(model(tmp_path, **fields))
    assert (finding.ok, finding.notes) == (True, [UNPROVEN])
    finding = check_model(model(tmp_path, **fields, canary=list(answer)))
    assert (finding.ok, finding.notes) == (True, [])


@pytest.mark.parametrize(("factor", "ok"), [(0.5, True), (2, False)])
def test_the_recorded_answer_may_differ_by_the_tolerance_and_no_more(tmp_path, factor, ok):
    fields, answer = recorded(tmp_path)
    largest = max(abs(value) for value in answer)
    shifted = [answer[0] + factor * TOLERANCE * largest, *answer[1:]]
    finding = check_model(model(tmp_path, **fields, canary=shifted))
    assert finding.ok is ok
    if not ok:
        assert "its answer to the canary is not the one on the card (off by 0.002 of the largest" in finding.problems[0]


def test_a_canary_that_is_longer_than_the_answer_is_another_model(tmp_path):
    fields, answer = recorded(tmp_path)
    assert not check_model(model(tmp_path, **fields, canary=[*answer, *answer, *answer])).ok


def test_a_card_that_lies_about_its_input_is_refused_by_its_canary(tmp_path, colours):
    right = Colours(colourful())
    answer = tuple(answer_of("embedder", right))
    for wrong in wrong_cards(colourful()).values():
        lying = wrong.model_copy(update={"canary": answer})
        colours(Colours(lying))
        own = Model(lying, lying.source, cache=str(tmp_path))
        finding = check_model(own)
        assert not finding.ok
        assert "channel order, range, size or weights differ from when it was recorded" in finding.problems[0]


@pytest.mark.parametrize("name", ["deca-coarse", "bisenet-r18"])
def test_what_measures_faces_for_generation_has_a_canary_too(tmp_path, monkeypatch, name):
    architecture = ARCHITECTURES[name]
    monkeypatch.setitem(ARCHITECTURES, name, dataclasses.replace(architecture, network=NETWORKS[name]))
    own = card_of(name, architecture.contracts[0]).model_copy(update={"source": "random:0"})
    finding = check_model(Model(own, own.source, cache=str(tmp_path)))
    assert (finding.problems, finding.notes) == ([], [UNPROVEN])
    assert len(finding.answer) == LENGTH
    for what in ("channels", "range"):
        lying = wrong_cards(own)[what].model_copy(update={"canary": finding.answer})
        assert "its answer to the canary is not the one on the card" in " ".join(
            check_model(Model(lying, own.source, cache=str(tmp_path))).problems
        )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_output_that_is_not_finite_is_refused(tmp_path, value):
    path, _ = weights(tmp_path)
    broken = load_file(path)
    broken["norm.bias"] = torch.full_like(broken["norm.bias"], value)
    save_file(broken, path)
    finding = check_model(model(tmp_path, source=path.name, sha256=weights_digest(path)))
    assert finding.problems == ["its output on the canary is not finite: the weights or the value range are wrong"]
    assert finding.answer == (), "there is nothing to record"


def test_an_answer_of_zeros_proves_little(tmp_path):
    path, _ = weights(tmp_path)
    broken = load_file(path)
    for key in ("norm.weight", "norm.bias"):
        broken[key] = torch.zeros_like(broken[key])
    save_file(broken, path)
    finding = check_model(model(tmp_path, source=path.name, sha256=weights_digest(path)))
    assert "its answer to the canary is all zeros, which proves little" in finding.notes


def test_missing_altered_and_misfitting_weights_are_findings_not_errors(tmp_path):
    path, digest = weights(tmp_path)
    found = {
        "missing": model(tmp_path, source="nowhere.pth", sha256=digest),
        "have digest": model(tmp_path, source=path.name, sha256="0" * 64),
        "keys are missing": model(tmp_path, source=path.name, sha256=digest, arguments={}),
        "do not fit small-iresnet": model(tmp_path, source=path.name, sha256=digest, arguments={"depth": 3}),
        "is not on this machine": model(tmp_path, source="memory://nowhere/w.pth", sha256=digest),
    }
    for sentence, own in found.items():
        finding = check_model(own)
        assert not finding.ok
        assert sentence in finding.problems[0]


def test_weights_are_read_again_even_if_they_were_verified_before(tmp_path):
    fields, _ = recorded(tmp_path)
    path = tmp_path / fields["source"]
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x55")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "have digest" in check_model(model(tmp_path, **fields)).problems[0]


@pytest.mark.parametrize("error", [RuntimeError("sizes\ndiffer"), KeyError("x"), AssertionError("no"), UserError("no")])
def test_whatever_a_model_does_the_others_are_still_checked(tmp_path, colours, monkeypatch, error):
    player = Colours(colourful(), fails=error)
    player.seen.append(player.card)
    colours(player)
    said = check_model(model(tmp_path)).problems[0]
    assert said.startswith(f"it cannot answer the canary ({type(error).__name__}: ")
    assert "\n" not in said

    def broken(*_):
        raise error

    monkeypatch.setattr(check, "play", broken)
    assert not check_model(model(tmp_path)).ok


def test_code_without_weights_has_nothing_to_check():
    finding = check_model(bundled()["line-glasses"])
    assert (finding.ok, finding.notes, finding.answer) == (True, ["code without weights"], ())


def test_every_bundled_model_passes():
    for own in bundled().values():
        finding = check_model(own)
        assert finding.problems == []
        assert not [note for note in finding.notes if "unproven" in note or "proves little" in note], own.name


def test_a_model_that_cannot_tell_a_wrong_card_from_a_right_one_is_named(tmp_path, colours):
    own = Model(colourful(), "random:0", cache=str(tmp_path))
    colours(Colours(colourful(), blind=True))
    # Both channel orders are published for this architecture; its other ranges and sizes are not.
    assert check_model(own).notes == [UNPROVEN, "blind to wrong channels"]
    colours(Colours(colourful()))
    assert check_model(own).notes == [UNPROVEN]


@pytest.mark.parametrize("fails", [None, RuntimeError("the size is wrong"), KeyboardInterrupt()])
def test_the_right_card_is_back_whatever_happens(fails):
    own = colourful()
    player = Colours(own, fails=fails)
    right = answer_of("embedder", player)
    try:
        found = sensitivities(own, player, right)
    except KeyboardInterrupt:
        found = {}
    assert player.card is own
    if fails is None:
        assert set(found) == {"channels", "range", "size"}
        assert all(0 < distance < 2 for distance in found.values())
        assert [entry.channels for entry in player.seen] == ["rgb", "bgr", "rgb", "rgb"]
    elif isinstance(fails, RuntimeError):
        assert set(found.values()) == {float("inf")}, "refusing is noticing"
