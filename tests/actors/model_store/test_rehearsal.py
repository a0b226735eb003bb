"""Rehearsals: random weights that are right in everything but their values, equal on every machine."""

import hashlib

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from synfiqa.actors.model_store.cache import digest_of, locate
from synfiqa.actors.model_store.digest import weights_digest
from synfiqa.actors.model_store.loading import load_network
from synfiqa.actors.model_store.rehearsal import DONE, random_tensors
from synfiqa.schemas.errors import UserError
from tests.actors.model_store.cards import SMALL, model, state


def test_a_rehearsal_is_written_once_and_fits_its_network(tmp_path):
    own = model(tmp_path)
    path = locate(own)
    before = path.stat()
    assert path.is_relative_to(tmp_path / "cache" / "random")
    network = load_network(own.card, path)
    assert all(torch.equal(value, state()[key]) for key, value in network.state_dict().items())
    assert locate(own) == path
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_every_process_on_every_machine_writes_the_same_weights(tmp_path):
    stored = load_file(locate(model(tmp_path)))
    bytes_of_all = b"".join(key.encode() + stored[key].numpy().tobytes() for key in sorted(stored))
    assert hashlib.sha256(bytes_of_all).hexdigest()[:16] == "dd52e243dcaa89e9"
    (tmp_path / "other").mkdir()
    assert weights_digest(locate(model(tmp_path / "other"))) == weights_digest(locate(model(tmp_path)))


@pytest.mark.parametrize("left", ["nothing", "garbage", "no weights", "a piece of another process"])
def test_a_folder_that_is_not_whole_is_written_again(tmp_path, left):
    own = model(tmp_path)
    path = locate(own)
    whole = path.read_bytes()
    if left == "no weights":
        path.unlink()
    else:
        (path.parent / DONE).unlink()
    if left == "garbage":
        path.write_bytes(whole[:100])
    if left == "a piece of another process":
        (path.parent / "weights.1.part").write_bytes(b"x")
    if left == "nothing":
        path.unlink()
    assert locate(own).read_bytes() == whole


def test_seed_and_arguments_make_other_weights_and_other_digests(tmp_path):
    changes = ({}, {"source": "random:1"}, {"arguments": SMALL["arguments"] | {"embedding_dim": 16}})
    models = [model(tmp_path, **change) for change in changes]
    assert len({digest_of(entry) for entry in models}) == 3
    assert len({weights_digest(locate(entry)) for entry in models}) == 3


def test_what_does_not_touch_the_weights_shares_them(tmp_path):
    one, other = model(tmp_path), model(tmp_path, licence="BSD-3-Clause", cost_gflop=3)
    assert locate(one) == locate(other)
    assert digest_of(one) == digest_of(other)


@pytest.mark.parametrize("source", ["random:", "random:x", "random:-1", "random:1.5", "random:99999999999999999999"])
def test_a_source_without_a_seed_is_refused(tmp_path, source):
    with pytest.raises(UserError, match=r"should be random:SEED, such as random:0"):
        locate(model(tmp_path, source=source))


def test_code_without_weights_cannot_be_rehearsed(tmp_path):
    fields = {"role": "pose", "architecture": "landmark-pose", "arguments": {}, "channels": "rgb", "normalise": "clip"}
    with pytest.raises(UserError, match="'mine': landmark-pose has no random weights; name a real source"):
        locate(model(tmp_path, **fields))


def test_values_are_fit_to_pass_through_a_network():
    shapes = {
        "conv.weight": ((64, 32, 3, 3), torch.float32),
        "norm.weight": ((500,), torch.float32),
        "norm.bias": ((500,), torch.float32),
        "norm.running_mean": ((500,), torch.float32),
        "norm.running_var": ((500,), torch.float32),
        "norm.num_batches_tracked": ((), torch.int64),
        "position_ids": ((1, 7), torch.int64),
        "half": ((4, 4), torch.float16),
        "logit_scale": ((), torch.float32),
        "nothing": ((0, 3), torch.float32),
    }
    found = random_tensors(shapes, seed=5)
    assert {key: (tuple(value.shape), value.dtype) for key, value in found.items()} == shapes
    assert all(bool(torch.isfinite(value).all()) for value in found.values())
    fan_in = 32 * 3 * 3
    assert float(found["conv.weight"].std()) == pytest.approx(0.5 * np.sqrt(2 / fan_in), rel=0.02)
    assert 0.9 <= float(found["norm.running_var"].min()) <= float(found["norm.running_var"].max()) <= 1.1
    assert float(found["norm.weight"].min()) >= 0.9
    assert float(found["norm.bias"].abs().max()) <= 0.1
    assert found["norm.num_batches_tracked"].item() == 0
    assert found["position_ids"].tolist() == [list(range(7))]


def test_values_are_pinned():
    # The digest of a rehearsal is that of its settings: whoever changes the generator raises RECIPE_VERSION.
    found = random_tensors({"a.weight": ((2, 2), torch.float32), "a.bias": ((2,), torch.float32)}, seed=7)
    assert found["a.weight"].flatten().tolist() == pytest.approx([-0.582442760, 0.644450068, 0.817984104, -0.354437619])


def test_a_tensor_depends_on_its_place_and_not_on_its_neighbours():
    one = random_tensors({"a": ((3,), torch.float32), "b": ((3,), torch.float32)}, seed=1)
    other = random_tensors({"a": ((9,), torch.float32), "b": ((3,), torch.float32)}, seed=1)
    assert torch.equal(one["b"], other["b"])
    assert not torch.equal(one["a"], one["b"])


def test_the_stored_file_holds_the_keys_of_the_network(tmp_path):
    stored = load_file(locate(model(tmp_path)))
    assert stored.keys() == state().keys()
