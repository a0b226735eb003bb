import hashlib
import os
import shutil
from pathlib import Path

import facenet_pytorch
import pytest

from synfiqa.actors.model_store import cache
from synfiqa.actors.model_store.cache import WrongDigest, cache_folder, digest_of, locate, locked, verify
from synfiqa.actors.model_store.catalogue import Model, bundled
from synfiqa.actors.model_store.digest import file_digest, folder_files, weights_digest
from synfiqa.actors.players import player
from synfiqa.schemas.errors import JobFailed, UserError
from tests.actors.model_store.cards import card, model, weights

OTHER = "0" * 64


@pytest.fixture
def reads(monkeypatch):
    """The paths whose bytes were digested."""
    paths = []
    monkeypatch.setattr(cache, "weights_digest", lambda path: (paths.append(path), weights_digest(path))[1])
    return paths


def folder_of(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_code_without_weights_has_no_place_and_no_digest():
    assert locate(bundled()["line-glasses"]) == Path()
    assert digest_of(bundled()["line-glasses"]) == "built-in"


def test_weights_beside_the_catalogue_are_found_and_verified(tmp_path):
    path, digest = weights(tmp_path)
    own = model(tmp_path, source=path.name, sha256=digest)
    assert locate(own) == path
    assert digest_of(own) == digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(
        UserError, match=r"nowhere\.pth of model 'mine' are missing on .*: correct `source` on its card, or bring"
    ):
        locate(model(tmp_path, source="nowhere.pth", sha256=OTHER))


def test_weights_with_another_digest_are_blocked(tmp_path):
    path, digest = weights(tmp_path)
    with pytest.raises(WrongDigest, match=rf"model 'mine' have digest {digest[:12]}... but the card says 000000000000"):
        locate(model(tmp_path, source=path.name, sha256=OTHER))


def test_verified_weights_are_not_read_a_second_time(tmp_path, reads):
    path, digest = weights(tmp_path)
    own = model(tmp_path, source=path.name, sha256=digest)
    for _ in range(3):
        locate(own)
    assert reads == [path]


@pytest.mark.parametrize("change", ["size", "time", "another file"])
def test_weights_altered_after_they_were_verified_are_noticed(tmp_path, change):
    path, digest = weights(tmp_path)
    own = model(tmp_path, source=path.name, sha256=digest)
    locate(own)
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    if change == "another file":
        (tmp_path / "other").write_bytes(content)
        (tmp_path / "other").replace(path)
    else:
        path.write_bytes(bytes(content) + b"x" * (change == "size"))
    # Clocks of file systems are coarse: what is tested is the one difference, on any machine.
    later = 1 if change == "time" else 0
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + later))
    with pytest.raises(WrongDigest):
        locate(own)


def test_a_change_that_keeps_size_and_time_is_found_by_reading_again(tmp_path):
    path, digest = weights(tmp_path)
    verify(path, digest, "mine", tmp_path)
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x55")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    verify(path, digest, "mine", tmp_path)
    with pytest.raises(WrongDigest):
        verify(path, digest, "mine", tmp_path, again=True)
    with pytest.raises(WrongDigest):
        # What was read last is what is remembered.
        verify(path, digest, "mine", tmp_path)


def test_what_was_read_is_remembered_for_every_card(tmp_path, reads):
    path, digest = weights(tmp_path)
    verify(path, digest, "mine", tmp_path)
    with pytest.raises(WrongDigest):
        verify(path, OTHER, "other", tmp_path)
    assert reads == [path]


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path, reads):
    path, digest = weights(tmp_path)
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the cache should be")
    verify(path, digest, "mine", blocked)
    verify(path, digest, "mine", blocked)
    assert len(reads) == 2


def test_the_cache_folder_is_the_setting_else_the_environment_else_the_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.delenv("SYNFIQA_CACHE", raising=False)
    assert cache_folder() == Path("/home/somebody/.cache/synfiqa")
    monkeypatch.setenv("SYNFIQA_CACHE", "/scratch/weights")
    assert cache_folder() == Path("/scratch/weights")
    assert cache_folder("~/mine") == Path("/home/somebody/mine")
    monkeypatch.chdir(tmp_path)
    assert cache_folder("mine") == tmp_path / "mine"


def test_the_digest_of_a_folder_covers_names_and_bytes_but_no_hidden_files(tmp_path):
    first = folder_of(tmp_path / "1", config_dot_json="{}", sub__w_dot_bin="weights")
    assert [path.relative_to(first).as_posix() for path in folder_files(first)] == ["config.json", "sub/w.bin"]
    lines = "".join(
        f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n"
        for name, text in (("config.json", "{}"), ("sub/w.bin", "weights"))
    )
    assert weights_digest(first) == hashlib.sha256(lines.encode()).hexdigest()
    (first / ".cache").mkdir()
    folder_of(first, _dot_gitattributes="x", _dot_cache__lock="y")
    assert weights_digest(first) == weights_digest(
        folder_of(tmp_path / "2", config_dot_json="{}", sub__w_dot_bin="weights")
    )
    assert weights_digest(first) != weights_digest(
        folder_of(tmp_path / "3", config_dot_json="{}", sub__v_dot_bin="weights")
    )
    assert weights_digest(first) != weights_digest(
        folder_of(tmp_path / "4", config_dot_json="{ }", sub__w_dot_bin="weights")
    )


def test_a_folder_is_verified_file_by_file(tmp_path):
    folder = folder_of(tmp_path / "blip", config_dot_json="{}", w_dot_bin="weights")
    own = model(tmp_path, source="blip", sha256=weights_digest(folder))
    assert locate(own) == folder
    (folder / "w.bin").write_text("weights!")
    with pytest.raises(WrongDigest):
        locate(own)
    (folder / "w.bin").write_text("weights")
    assert locate(own) == folder
    (folder / "config.json").unlink()
    with pytest.raises(WrongDigest):
        locate(own)


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir])
def test_nothing_has_no_digest(tmp_path, make):
    make(tmp_path / "w")
    with pytest.raises(FileNotFoundError):
        weights_digest(tmp_path / "w")


def test_an_empty_folder_is_no_model(tmp_path):
    (tmp_path / "w").mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        locate(model(tmp_path, source="w", sha256=hashlib.sha256(b"").hexdigest()))


def test_large_files_are_digested_block_by_block(tmp_path, monkeypatch):
    monkeypatch.setattr("synfiqa.actors.model_store.digest._BLOCK", 7)
    (tmp_path / "w").write_bytes(bytes(range(100)))
    assert file_digest(tmp_path / "w") == hashlib.sha256(bytes(range(100))).hexdigest()


def test_mtcnn_comes_with_its_package(tmp_path):
    mtcnn = bundled()["mtcnn"]
    assert locate(mtcnn) == Path(facenet_pytorch.__file__).parent / "data"
    assert digest_of(mtcnn) == weights_digest(locate(mtcnn)) == mtcnn.card.sha256


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("package:nonesuch/data", "needs the Python package nonesuch: install the project's dependencies"),
        ("package:no.such/data", "needs the Python package no.such"),
        ("package:/data", "needs the Python package : install"),
        ("package:facenet_pytorch/nowhere", "are missing: reinstall the package facenet_pytorch"),
    ],
)
def test_a_package_that_is_not_there_is_named(tmp_path, source, sentence):
    with pytest.raises(UserError, match="model 'mine'") as caught:
        locate(model(tmp_path, source=source, sha256=OTHER))
    assert sentence in str(caught.value)


def test_one_changed_byte_of_a_bundled_file_is_noticed(tmp_path):
    own = bundled()["bundled-a"]
    path = Path(shutil.copy(own.origin, tmp_path))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WrongDigest, match="model 'bundled-a' have digest"):
        locate(Model(own.card, str(path), cache=str(tmp_path)))


def test_a_lock_that_is_never_given_back_ends_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "LOCK_TIMEOUT_S", 0.05)
    with locked(tmp_path), pytest.raises(JobFailed, match="another process has held"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass  # it was given back


def test_a_cache_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be used .* name another one with models.cache or SYNFIQA_CACHE"):
        locate(Model(card(), "random:0", cache=str(tmp_path / "file")))


def test_a_process_loads_equal_models_once(tmp_path):
    path, digest = weights(tmp_path)
    own = model(tmp_path, source=path.name, sha256=digest)
    assert player(own) is player(model(tmp_path, source=path.name, sha256=digest))
    assert player(own) is not player(own, micro_batch=2)
    assert player(own) is not player(own, precision="bfloat16")
