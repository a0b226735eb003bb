"""Checkpoints as they come: every format and wrapper is read, none runs code, and nothing is left over in silence."""

import argparse
import re
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import nn

from synfiqa.actors.model_store.state import fit_state, read_state, state_dict_of
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import StateRules

PUBLISHED = StateRules(unwrap=("model_state_dict", "state_dict", "model"), strip=("module.", "model."))


def network() -> nn.Sequential:
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 3), norm=nn.BatchNorm2d(4), head=nn.Linear(4, 2)))


def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return {key: value.clone() for key, value in network().state_dict().items()}


def equal(one, other) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def save(content, path: Path, form: str) -> Path:
    if form == "safetensors":
        save_file(content, path.with_suffix(".safetensors"))
        return path.with_suffix(".safetensors")
    torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    return path


@pytest.mark.parametrize("form", ["safetensors", "zip", "legacy"])
def test_the_three_formats_of_checkpoints_are_read(tmp_path, form):
    assert equal(read_state(save(state(), tmp_path / "w.pth", form)), state())


@pytest.mark.parametrize("form", ["safetensors", "zip", "legacy"])
@pytest.mark.parametrize("name", ["download", "weights.bin", "w.pth"])
def test_the_content_and_not_the_name_says_which_format_a_file_has(tmp_path, form, name):
    path = save(state(), tmp_path / "w", form).rename(tmp_path / name)
    assert equal(read_state(path), state())


def test_a_truncated_safetensors_file_of_any_name_is_called_so(tmp_path):
    path = save(state(), tmp_path / "w", "safetensors")
    (tmp_path / "download").write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="download is no whole safetensors file"):
        read_state(tmp_path / "download")


@pytest.mark.parametrize("form", ["zip", "legacy"])
@pytest.mark.parametrize("wrapper", ["state_dict", "model", "model_state_dict", ""])
@pytest.mark.parametrize("prefix", ["module.", "model.", "module.model.", ""])
def test_published_wrappers_and_prefixes_come_off(tmp_path, form, wrapper, prefix):
    inner = OrderedDict((prefix + key, value) for key, value in state().items())
    content = {"epoch": 12, wrapper: inner, "lr": 0.1} if wrapper else inner
    path = save(content, tmp_path / "w.pth", form)
    assert equal(state_dict_of(read_state(path), PUBLISHED), state())


def test_wrappers_inside_one_another_come_off_in_the_order_of_the_rules():
    content = {"checkpoint": {"state_dict": state()}}
    assert equal(state_dict_of(content, StateRules(unwrap=("checkpoint", "state_dict"))), state())
    assert state_dict_of(content, StateRules(unwrap=("state_dict", "checkpoint"))) == {}


def test_without_rules_nothing_is_touched():
    content = {f"module.{key}": value for key, value in state().items()}
    assert state_dict_of(content, StateRules()).keys() == content.keys()


def test_one_network_of_several_is_kept():
    content = {f"student.{key}": value for key, value in state().items()}
    content |= {f"teacher.{key}": torch.zeros_like(value) for key, value in state().items()}
    assert equal(state_dict_of(content, StateRules(keep="student.")), state())


def test_keys_are_renamed_by_regular_expressions_in_order():
    rules = StateRules(rename=(("^layer(\\d+)_", "blocks.\\1."), ("gamma$", "weight")))
    content = {"layer12_gamma": torch.ones(1), "head.gamma": torch.ones(2)}
    assert set(state_dict_of(content, rules)) == {"blocks.12.weight", "head.weight"}


@pytest.mark.parametrize("rename", [("(", ""), ("a", "\\1"), ("(a)", "\\2")])
def test_what_is_no_regular_expression_is_refused_with_the_card(rename):
    with pytest.raises(ValidationError, match="is no regular expression"):
        StateRules(rename=(rename,))


def test_two_networks_in_one_file_do_not_overwrite_one_another():
    content = state() | {f"model.{key}": value for key, value in state().items()}
    with pytest.raises(UserError, match=r"holds both conv\.weight and model\.conv\.weight, .* state: \{keep: PREFIX\}"):
        state_dict_of(content, PUBLISHED)


def test_what_is_no_tensor_is_left_out():
    content = {"epoch": 3, "name": "x", "optimizer": {"state": {}}, "history": [1, 2], **state()}
    assert equal(state_dict_of(content, StateRules()), state())


def test_a_fitting_state_ends_up_in_the_network():
    module = network()
    fit_state(module, {key: value.half() for key, value in state().items()}, StateRules(), "w.pth")
    assert equal({k: v.half() for k, v in module.state_dict().items()}, {k: v.half() for k, v in state().items()})


def misfit(state, rules=PUBLISHED) -> str:
    module = network()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    with pytest.raises(UserError) as caught:
        fit_state(module, state, rules, "model 'mine' (w.pth)")
    assert equal(module.state_dict(), before), "nothing is loaded by halves"
    said = str(caught.value)
    assert said.startswith("model 'mine' (w.pth) does not fit its architecture: ")
    assert said.endswith("Correct architecture, arguments or the state rules on its card, or name the right file")
    return said


def test_missing_keys_are_listed():
    wrong = {key: value for key, value in state().items() if not key.startswith("head")}
    assert ": 2 keys are missing (head.weight, head.bias)." in misfit(wrong)


def test_unexpected_keys_are_listed():
    assert ": 1 are unexpected (extra.weight)." in misfit(state() | {"extra.weight": torch.ones(1)})


def test_wrong_shapes_are_listed():
    wrong = state() | {"conv.weight": torch.zeros(4, 1, 3, 3), "norm.num_batches_tracked": torch.zeros(1)}
    assert (
        ": 2 have wrong shapes (conv.weight 4x1x3x3 instead of 4x3x3x3, norm.num_batches_tracked 1 instead of scalar)."
    ) in misfit(wrong)


def test_the_checkpoint_of_another_architecture_is_told_in_a_few_keys():
    said = misfit({f"layer{index}.weight": torch.ones(1) for index in range(20)})
    assert (
        "9 keys are missing (conv.weight, conv.bias, norm.weight, norm.bias, norm.running_mean, norm.running_var"
        in said
    )
    assert "and 3 more); 20 are unexpected (layer0.weight, layer1.weight," in said
    assert "layer5.weight and 14 more)" in said


def test_an_empty_checkpoint_fits_nothing():
    assert "9 keys are missing" in misfit({})


def test_what_the_rules_allow_may_be_missing_or_left_over():
    rules = StateRules(allow_missing=("norm.*",), allow_unexpected=("qs.*",))
    module = network()
    lacking = ("norm.running_mean", "norm.running_var", "norm.num_batches_tracked")
    given = {key: value for key, value in state().items() if key not in lacking} | {"qs.weight": torch.ones(1)}
    fit_state(module, given, rules, "w.pth")
    assert (module.norm.running_mean.tolist(), module.norm.running_var.tolist()) == ([0] * 4, [1] * 4)
    assert module.norm.num_batches_tracked.item() == 0
    assert torch.equal(module.conv.weight, given["conv.weight"])
    assert "1 are unexpected (qx.weight)" in misfit(given | {"qx.weight": torch.ones(1)}, rules)
    assert "1 have wrong shapes (head.bias 3 instead of 2)" in misfit(given | {"head.bias": torch.ones(3)}, rules)


def test_weights_may_never_be_missing_for_they_would_be_random():
    given = {key: value for key, value in state().items() if key not in ("head.weight", "norm.bias", "conv.bias")}
    said = misfit(given, StateRules(allow_missing=("head.*", "norm.*")))
    assert ": 1 keys are missing (conv.bias); " in said
    assert "; 2 missing weights would be random, which allow_missing cannot allow (norm.bias, head.weight)." in said


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_other_precisions_are_converted(dtype):
    module = network()
    fit_state(module, state() | {"head.weight": torch.full((2, 4), 0.5, dtype=dtype)}, StateRules(), "w.pth")
    assert module.head.weight.tolist() == [[0.5] * 4] * 2


@pytest.mark.parametrize(
    "dtype", [torch.int8, torch.uint8, torch.int64, torch.bool, torch.complex64, torch.float8_e4m3fn]
)
def test_quantised_weights_are_no_weights(dtype):
    name = str(dtype).removeprefix("torch.")
    wrong = {"head.weight": torch.ones(2, 4).to(dtype), "norm.running_var": torch.ones(4).to(dtype)}
    assert (
        f": 2 have wrong types (norm.running_var {name} instead of float32, head.weight {name} instead of float32)."
    ) in misfit(state() | wrong)


class Trap:
    """An object whose unpickling writes a file: what a hostile checkpoint does, with a harmless deed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_a_pickle_with_code_is_refused_and_its_code_does_not_run(tmp_path, form):
    trap = tmp_path / "sprung"
    path = save({"state_dict": state(), "hook": Trap(trap)}, tmp_path / "w.pth", form)
    with pytest.raises(
        UserError, match=r"w\.pth holds Python objects, which could run code, .* save its state dict as"
    ):
        read_state(path)
    assert not trap.exists()
    torch.load(path, weights_only=False)
    assert trap.exists(), "the trap works"


@pytest.mark.parametrize("content", [argparse.Namespace(lr=0.1), network()])
def test_settings_and_whole_modules_are_python_objects_too(tmp_path, content):
    path = save({"state_dict": state(), "args": content}, tmp_path / "w.pth", "zip")
    with pytest.raises(UserError, match="holds Python objects"):
        read_state(path)


@pytest.mark.filterwarnings("ignore:.*(deprecated|TorchScript)")
def test_a_scripted_module_is_no_state_dict(tmp_path):
    torch.jit.trace(network()[:1], torch.zeros(1, 3, 8, 8)).save(tmp_path / "w.pt")
    with pytest.raises(UserError, match=r"w\.pt"):
        read_state(tmp_path / "w.pt")


@pytest.mark.parametrize(("content", "kind"), [([1, 2], "list"), (torch.ones(3), "Tensor"), ("text", "str")])
def test_a_file_of_something_else_is_named(tmp_path, content, kind):
    path = save(content, tmp_path / "w.pth", "zip")
    with pytest.raises(
        UserError, match=rf"w\.pth holds a {kind}, not a state dict: save state_dict\(\) of the network"
    ):
        read_state(path)


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"PK\x03\x04 and no more", b"<!doctype html><html>not found</html>"]
)
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_file_that_is_no_checkpoint_is_named(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=re.escape(f"{tmp_path / name} ")):
        read_state(tmp_path / name)


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors", "folder"])
def test_a_place_without_a_file_is_named(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=rf"{name} is no whole .*: fetch it again"):
        read_state(tmp_path / name)


@pytest.mark.parametrize("form", ["safetensors", "zip", "legacy"])
def test_a_truncated_file_is_named(tmp_path, form):
    path = save(state(), tmp_path / "w.pth", form)
    content = path.read_bytes()
    for length in np.linspace(1, len(content) - 1, 25).astype(int):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match=re.escape(str(path))):
            read_state(path)


@pytest.mark.parametrize("form", ["safetensors", "zip", "legacy"])
def test_an_altered_file_is_read_or_named_but_never_ends_in_another_error(tmp_path, form):
    # Only the digest notices changed numbers; here, everything else.
    path = save(state(), tmp_path / "w.pth", form)
    content = path.read_bytes()
    random = np.random.default_rng(3)
    refused = 0
    for _ in range(150):
        altered = bytearray(content)
        altered[random.integers(len(content))] ^= random.integers(1, 256)
        path.write_bytes(altered)
        try:
            fit_state(network(), state_dict_of(read_state(path), PUBLISHED), PUBLISHED, path.name)
        except UserError:
            refused += 1
    assert refused
