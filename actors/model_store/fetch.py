"""Brings weights from an fsspec URL to this machine, file or folder; an interrupted fetch goes on where it stopped."""

from pathlib import Path
from typing import Any

import fsspec

from synfiqa.cluster.storage.retrying import Retrying
from synfiqa.cluster.storage.s3_endpoint import check_endpoint
from synfiqa.cluster.storage.storage import redact
from synfiqa.schemas.errors import StorageRefused, UserError

BLOCK = 1 << 24
"""Bytes a request; an interruption costs at most these."""

BUDGET_S = 300.0
"""How long one request is tried again through outages."""

_PAGES = {"text/html", "application/xhtml+xml"}
"""Media types of pages for people: what is shown for a file, a login, or a listing."""


def download(url: str, target: Path, block: int = BLOCK) -> None:
    """Bring the file or folder at the URL to `target`; what is there already of it is not fetched again.

    On the web a folder is what ends in a slash: any page with links would pass for one. UserError when there is nothing
    at the URL, or a page for people, or its store refuses; StorageUnavailable after an outage that lasts.
    """
    fs, path = _open(url)
    shown = redact(url)
    retry = Retrying(budget_s=BUDGET_S)
    try:
        # Web servers mark a folder by a slash, other stores do not.
        folder = f"{path}/" if _on_the_web(url) else path
        if _may_be_folder(url) and retry.call(lambda: fs.isdir(folder), shown):
            files = sorted(retry.call(lambda: fs.find(folder), shown))
            names = [file[len(path.rstrip("/")) + 1 :] for file in files]
            if outside := [name for name in names if not name or ".." in Path(name).parts or Path(name).is_absolute()]:
                raise UserError(f"{shown} holds a file named {outside[0]!r}, which would lie outside of its folder")
            for file, name in zip(files, names, strict=True):
                _file(fs, file, target / name, block, retry, f"{shown.rstrip('/')}/{name}")
        else:
            _file(fs, path, target, block, retry, shown)
    except FileNotFoundError as error:
        raise UserError(f"there are no weights at {shown}: correct `source` on the card") from error
    except StorageRefused as error:
        # What the error advises concerns run folders.
        refusal = str(error).partition(";")[0]
        raise UserError(f"{refusal}: correct `source` on the card, or the credentials of this machine") from error
    except OSError as error:
        raise UserError(
            f"{shown} cannot be stored in {target.parent} ({error.strerror or error}): make room there, or name "
            "another folder with models.cache or SYNFIQA_CACHE"
        ) from error


def _open(url: str) -> tuple[Any, str]:
    if url.startswith(("s3://", "s3a://")):
        check_endpoint()
    try:
        fs, path = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError, OSError) as error:
        raise UserError(f"{redact(url)} cannot be opened ({error}): name a path, or a URL that fsspec knows") from error
    return fs, path.rstrip("/")


def _on_the_web(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))


def _may_be_folder(url: str) -> bool:
    return not _on_the_web(url) or (url.endswith("/") and not {"?", "#"} & set(url))


def _file(fs: Any, path: str, target: Path, block: int, retry: Retrying, shown: str) -> None:
    info = retry.call(lambda: _info(fs, path), shown)
    if info.get("mimetype") in _PAGES:
        raise UserError(
            f"{shown} is a web page ({info['mimetype']}), no weights: name the link that downloads the file itself as "
            "`source` on the card, or a folder with a slash at its end"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    size = info.get("size")
    if size is None:
        # Without the size a download cannot be resumed either.
        retry.call(lambda: fs.get_file(path, str(target)), shown)
        return
    have = target.stat().st_size if target.exists() else 0
    if have > size:
        target.unlink()
        have = 0
    with target.open("ab") as out:
        while have < size:
            end = min(have + block, size)
            # Bound as defaults for the linter: the closure is called at once.
            piece = retry.call(lambda start=have, end=end: _piece(fs, path, start, end, size), shown)  # type: ignore[misc]
            out.write(piece)
            out.flush()
            have += len(piece)


def _info(fs: Any, path: str) -> dict[str, Any]:
    try:
        info: dict[str, Any] = fs.info(path)
    except FileNotFoundError as error:
        # Whatever a web server fails with, fsspec calls it a missing file.
        if _on_the_web(path) and error.__cause__ and getattr(error.__cause__, "status", None) not in (404, 410):
            raise error.__cause__ from None
        raise
    return info


def _piece(fs: Any, path: str, start: int, end: int, size: int) -> bytes:
    """Return bytes `start` to `end` of the file, or to its last one from a server without ranges."""
    data: bytes = fs.cat_file(path, start=start, end=end)
    if len(data) == size:
        return data[start:]
    if len(data) != end - start:
        raise ConnectionError(f"{len(data)} of {end - start} bytes arrived")
    return data
