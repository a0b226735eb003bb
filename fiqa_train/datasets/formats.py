"""The formats of test sets, one row each, and the opening of what `--on NAME=PATH` names."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from synfiqa.cluster.storage.storage import redact
from synfiqa.fiqa_train.datasets.converted_set import is_converted, open_converted
from synfiqa.fiqa_train.datasets.identity_folder import is_adience, is_identities, open_adience, open_identities
from synfiqa.fiqa_train.datasets.ijbc import is_ijbc, open_ijbc
from synfiqa.fiqa_train.datasets.insightface_bin import is_bin, open_bin
from synfiqa.fiqa_train.datasets.pairs_folder import is_lfw, is_xqlfw, open_lfw, open_xqlfw
from synfiqa.fiqa_train.datasets.run_set import is_run, open_run_set
from synfiqa.fiqa_train.datasets.testset import TestSet
from synfiqa.fiqa_train.datasets.tinyface import is_tinyface, open_tinyface
from synfiqa.schemas.errors import UserError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Format:
    """One format: how a path of it is recognised, in words and as a function, and what opens it under a name."""

    what: str
    recognises: Callable[[str], bool]
    open: Callable[[str, str], TestSet]


def local(recognises: Callable[[Path], bool]) -> Callable[[str], bool]:
    """Return a recogniser of paths on this machine as one of sources; a URL is none."""
    return lambda source: "://" not in source and recognises(Path(source).expanduser())


def opened(open_path: Callable[[str, Path], TestSet]) -> Callable[[str, str], TestSet]:
    """Return what opens a path on this machine as what opens a source."""
    return lambda name, source: open_path(name, Path(source).expanduser())


def _open_parquet(name: str, path: Path) -> TestSet:
    with path.open("rb") as stream:
        return open_converted(name, path, hashlib.file_digest(stream, "sha256").hexdigest())


FORMATS: tuple[Format, ...] = (
    Format("an InsightFace .bin", local(is_bin), opened(open_bin)),
    Format("the .parquet of one", local(is_converted), opened(_open_parquet)),
    Format("IJB-C with its lists", local(is_ijbc), opened(open_ijbc)),
    Format("a folder with xqlfw_pairs.txt", local(is_xqlfw), opened(open_xqlfw)),
    Format("a folder with pairs.txt", local(is_lfw), opened(open_lfw)),
    Format("TinyFace with its lists", local(is_tinyface), opened(open_tinyface)),
    Format("a run of synfiqa", is_run, open_run_set),
    Format("the faces of Adience", local(is_adience), opened(open_adience)),
    Format("a folder with one folder of images a person", local(is_identities), opened(open_identities)),
)
"""Formats in the order in which they are tried."""


def open_test_sets(sources: Sequence[str], formats: Sequence[Format] = FORMATS, where: str = "--on") -> list[TestSet]:
    """Open the sets `NAME=PATH`; UserError for a name that is none or doubled, and a path of no known format.

    Names, paths and formats are checked before any set is opened. `where` is the option or key that names the sets.
    """
    found: dict[str, tuple[Format, str]] = {}
    for source in sources:
        name, mark, path = source.partition("=")
        if not mark or not path or not NAME.fullmatch(name):
            raise UserError(f"{where} {redact(source)}: give NAME=PATH, the name of letters, digits, dots, _ and -")
        if name in found:
            raise UserError(f"{where} {name}: this name is given twice; each set needs its own, which names its result")
        found[name] = _format_of(name, path, formats, where), path
    return [format.open(name, path) for name, (format, path) in found.items()]


def _format_of(name: str, path: str, formats: Sequence[Format], where: str) -> Format:
    if "://" not in path and not Path(path).expanduser().exists():
        raise UserError(f"{where} {name}: {path} does not exist")
    for format in formats:
        if format.recognises(path):
            return format
    known = ", ".join(format.what for format in formats)
    raise UserError(f"{where} {name}: {redact(path)} is of no known format; those are {known}")
