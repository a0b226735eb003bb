"""Too little memory is told in a sentence before weights are read, not by a process that vanishes."""

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from synfiqa.actors import players as backends
from synfiqa.actors.model_store import loading
from synfiqa.actors.model_store.catalogue import Catalogue
from synfiqa.actors.model_store.checks import memory_check as room
from synfiqa.actors.model_store.checks.memory_check import free_memory, require_room, stored_numbers
from synfiqa.actors.model_store.execution import Execution
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard
from tests.actors.model_store.cards import SMALL, catalogue_file

CARD = ModelCard(name="small", **SMALL)


@pytest.fixture
def weights(tmp_path):
    with torch.device("meta"):
        state = loading.build_network(CARD).state_dict()
    stored = {key: torch.zeros(value.shape, dtype=torch.float16) for key, value in state.items()}
    save_file(stored, tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors", sum(value.numel() for value in state.values())


def test_numbers_are_counted_by_the_header_whatever_their_type(weights, tmp_path):
    path, count = weights
    assert stored_numbers(path) == count
    torch.save({"a": torch.zeros(100_000)}, tmp_path / "more.pth")
    (tmp_path / "README.md").write_text("x" * 10_000)
    assert stored_numbers(tmp_path) == pytest.approx(count + 100_000, abs=1000)
    (tmp_path / "pytorch_model.bin").write_bytes(bytes(4 * count))
    assert stored_numbers(tmp_path) == pytest.approx(count + 100_000, abs=1000), "the same weights in an older format"


def test_a_model_fits_until_one_byte_is_missing(weights, monkeypatch):
    path, count = weights
    monkeypatch.setattr(room, "free_memory", lambda: 4 * count)
    require_room(CARD, path, Execution())
    monkeypatch.setattr(room, "free_memory", lambda: 4 * count - 1)
    with pytest.raises(UserError, match=r"model 'small' takes .* GB of memory for its weights but .* use a node with"):
        require_room(CARD, path, Execution())
    monkeypatch.setattr(room, "free_memory", lambda: None)
    require_room(CARD, path, Execution())


@pytest.mark.parametrize(("precision", "size"), [("float32", 4), ("bfloat16", 2)])
def test_a_gpu_needs_room_for_the_precision_of_the_run(weights, monkeypatch, precision, size):
    path, count = weights
    running = Execution("cuda", precision)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (size * count, 10**12))
    require_room(CARD, path, running)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (size * count - 1, 10**12))
    with pytest.raises(UserError, match=f"GPU memory in {precision} .* or models.precision bfloat16"):
        require_room(CARD, path, running)


def test_what_a_training_checkpoint_holds_beside_the_network_needs_no_room(weights, monkeypatch, tmp_path):
    path, count = weights
    padded = tmp_path / "padded.pth"
    padded.write_bytes(path.read_bytes() + bytes(10 * 4 * count))
    monkeypatch.setattr(room, "free_memory", lambda: 5 * count)
    require_room(CARD, padded, Execution())


def test_a_damaged_file_is_left_to_whoever_loads_it(tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(b"\xff" * 100)
    assert stored_numbers(tmp_path / "weights.safetensors") == 0


def test_a_worker_asks_before_it_loads(tmp_path, monkeypatch):
    card = SMALL | {"source": "random:3"}
    model = Catalogue.load(str(catalogue_file(tmp_path, small=card)), str(tmp_path / "cache")).model(
        "small", "embedder"
    )
    monkeypatch.setattr(loading, "play", lambda *_: pytest.fail("it was loaded"))
    monkeypatch.setattr(room, "free_memory", lambda: 1000)
    with pytest.raises(UserError, match="GB of memory for its weights"):
        backends.player(model)


def test_the_tightest_limit_counts(tmp_path, monkeypatch):
    def write(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    monkeypatch.setattr(room, "_MEMORY", write("meminfo", "MemTotal: 9 kB\nMemAvailable:    5000 kB\n"))
    limit, used = write("memory.max", "max\n"), write("memory.current", "1000000\n")
    monkeypatch.setattr(room, "_CGROUPS", ((limit, used),))
    assert free_memory() == 5000 * 1024, "no limit is none"
    write("memory.max", "3000000\n")
    assert free_memory() == 2_000_000
    write("memory.stat", "anon 7\ninactive_file 500000\n")
    assert free_memory() == 2_500_000, "idle file pages can be had back"
    monkeypatch.setattr(room, "_MEMORY", tmp_path / "missing")
    monkeypatch.setattr(room, "_CGROUPS", ())
    assert free_memory() is None


def test_this_machine_tells_its_memory():
    free = free_memory()
    if Path("/proc/meminfo").exists():
        total = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) * 1024
        assert 0 < free <= total
