"""Locates the weights of a model on this node: found, made, or fetched once under a lock, and always verified."""

import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock, Timeout

from synfiqa.actors.model_store.architectures.extras import require_extra
from synfiqa.actors.model_store.architectures.table import ARCHITECTURES, REHEARSAL_VERSION
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.digest import weights_digest
from synfiqa.actors.model_store.fetch import download
from synfiqa.cluster.run.fingerprint import INPUT_FIELDS
from synfiqa.cluster.storage.storage import redact
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.model_card import BUILT_IN, PACKAGE, RANDOM

LOCK_TIMEOUT_S = 3600.0
"""How long a process waits for another process of its node that fetches the same weights."""


class WrongDigest(UserError):
    """The weights that are here are not those of the card."""


def cache_folder(setting: str = "") -> Path:
    """Return the folder for fetched weights: the setting, else SYNFIQA_CACHE, else ~/.cache/synfiqa."""
    return Path(setting or os.environ.get("SYNFIQA_CACHE") or "~/.cache/synfiqa").expanduser().absolute()


def locate(model: Model, *, fetch: bool | None = None) -> Path:
    """Return the verified local file or folder of a model's weights; `Path()` for code without weights.

    `fetch` overrides whether remote weights may be fetched. UserError when they are missing or differ from the card, or
    an extra that the model needs is not installed.
    """
    origin, card = model.origin, model.card
    require_extra(card)
    if origin == BUILT_IN:
        return Path()
    if origin.startswith(RANDOM):
        return _rehearsed(model)
    if origin.startswith(PACKAGE):
        path = _packaged(origin.removeprefix(PACKAGE), model.name)
    elif "://" in origin:
        path = _fetched(model, allowed=(not model.offline) if fetch is None else fetch)
    else:
        path = Path(origin)
        if not path.exists():
            raise UserError(
                f"the weights {path} of model '{model.name}' are missing on {socket.gethostname()}: "
                "correct `source` on its card, or bring them to every node"
            )
    verify(path, card.sha256, model.name, cache_folder(model.cache))
    return path


def digest_of(model: Model) -> str:
    """Return the SHA-256 that identifies a model in a fingerprint: of its weights, or of a rehearsal's settings."""
    if model.origin == BUILT_IN:
        return BUILT_IN
    if model.origin.startswith(RANDOM):
        return hashlib.sha256(_settings(model)).hexdigest()
    return model.card.sha256


def verify(path: Path, expected: str, name: str, cache: Path, *, again: bool = False) -> None:
    """WrongDigest when the weights are not those of the card. Remembers what it has read, by size and time of change.

    `again` reads the bytes even if they were verified before.
    """
    stamp = _stamp(path)
    memo = cache / "verified" / f"{hashlib.sha256(stamp).hexdigest()}.txt"
    found = "" if again else _remembered(memo)
    if not found:
        try:
            found = weights_digest(path)
        except OSError as error:
            raise UserError(f"the weights {path} of model '{name}' cannot be read ({error.strerror})") from error
        _remember(memo, found)
    if found != expected:
        raise WrongDigest(
            f"the weights {path} of model '{name}' have digest {found[:12]}... but the card says {expected[:12]}...: "
            "fetch them again, or correct the card if you trust the file"
        )


def _stamp(path: Path) -> bytes:
    files = [path] if path.is_file() else sorted(entry for entry in path.rglob("*") if entry.is_file())
    facts = [(str(file.absolute()), (stat := file.stat()).st_size, stat.st_mtime_ns, stat.st_ino) for file in files]
    return json.dumps(facts).encode()


def _remembered(memo: Path) -> str:
    try:
        return memo.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _remember(memo: Path, digest: str) -> None:
    # Without a writable cache the weights are hashed again; the run goes on.
    try:
        memo.parent.mkdir(parents=True, exist_ok=True)
        fresh = memo.with_suffix(f".{os.getpid()}")
        fresh.write_text(digest, encoding="ascii")
        fresh.replace(memo)
    except OSError:
        return


def _fetched(model: Model, *, allowed: bool) -> Path:
    target = cache_folder(model.cache) / "weights" / model.card.sha256 / _file_name(model.origin)
    if target.exists() and (not allowed or _verified(target, model)):
        return target
    if not allowed:
        raise UserError(
            f"model '{model.name}' is not on this machine and fetching is off: run "
            f"`synfiqa models fetch {model.name} --catalogue FILE` on every node, or set models.offline=false"
        )
    with locked(target.parent):
        if target.exists() and not _verified(target, model):
            # Verified when it arrived and damaged since: the cache owns it and fetches it again.
            _remove(target)
        if not target.exists():
            # Under another name until it is verified: other processes must never find a partial or wrong file.
            arriving = target.with_name(target.name + ".part")
            download(model.origin, arriving)
            try:
                verify(arriving, model.card.sha256, model.name, cache_folder(model.cache))
            except UserError as error:
                _remove(arriving)
                raise type(error)(f"{redact(model.origin)}: {error}") from error
            arriving.replace(target)
    return target


def _file_name(url: str) -> str:
    """Return what the file or folder at a URL is called: no query, which may hold a secret and hides the suffix."""
    name = redact(url).rstrip("/").rpartition("/")[2]
    return name if name.strip(".") else "weights"


def _verified(path: Path, model: Model) -> bool:
    try:
        verify(path, model.card.sha256, model.name, cache_folder(model.cache))
    except UserError:
        return False
    return True


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder of the cache for this process alone on this node; it is made if it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=LOCK_TIMEOUT_S)
        lock.acquire()
    except Timeout as error:
        raise JobFailed(
            f"another process has held {folder} for {LOCK_TIMEOUT_S / 60:.0f} minutes: see what it does, or end it"
        ) from error
    except OSError as error:
        raise UserError(
            f"the cache folder {folder} cannot be used ({error.strerror}): name another one with models.cache or "
            "SYNFIQA_CACHE"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _rehearsed(model: Model) -> Path:
    from synfiqa.actors.model_store.rehearsal import DONE, write_rehearsal

    settings = hashlib.sha256(_settings(model)).hexdigest()
    edition = ARCHITECTURES[model.card.architecture].edition
    name = f"{model.card.architecture}-{settings[:16]}{f'-{edition}' if edition > 1 else ''}"
    folder = cache_folder(model.cache) / "random" / name
    # Locked even if it exists: another process may be writing it.
    with locked(folder):
        path = write_rehearsal(model.card, folder, _seed(model))
        verify(path, (folder / DONE).read_text(encoding="ascii"), model.name, cache_folder(model.cache))
        return path


def _seed(model: Model) -> int:
    text = model.origin.removeprefix(RANDOM)
    if not text.isdecimal() or int(text) >= 2**63:
        raise UserError(f"model '{model.name}': the source {model.origin} should be random:SEED, such as random:0")
    return int(text)


def _settings(model: Model) -> bytes:
    card = model.card
    architecture = ARCHITECTURES[card.architecture]
    settings = [REHEARSAL_VERSION, card.architecture, card.arguments, _seed(model), architecture.gain]
    # Architectures that write whole folders put the input contract of the card into them.
    described = card.model_dump(mode="json", include=INPUT_FIELDS) if architecture.rehearsal else {}
    return json.dumps([*settings, described], sort_keys=True).encode()


@cache
def _packaged(reference: str, name: str) -> Path:
    package, _, folder = reference.partition("/")
    try:
        found = find_spec(package)
    except (ImportError, ValueError):
        found = None
    if found is None or found.origin is None:
        raise UserError(f"model '{name}' needs the Python package {package}: install the project's dependencies")
    path = Path(found.origin).parent / folder
    if not path.exists():
        raise UserError(f"the weights {path} of model '{name}' are missing: reinstall the package {package}")
    return path
