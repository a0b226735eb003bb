"""Folders of people with a list of pairs: LFW (`pairs.txt`) and XQLFW (`xqlfw_pairs.txt`)."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synfiqa.fiqa_train.datasets.pair_table import ordered_pairs
from synfiqa.fiqa_train.datasets.photo_files import crops_of, files_digest, is_image
from synfiqa.fiqa_train.datasets.testset import TestSet, numbered
from synfiqa.schemas.errors import UserError

LFW_PAIRS, XQLFW_PAIRS = "pairs.txt", "xqlfw_pairs.txt"

Photo = tuple[str, int]
"""Name of a person, and number of a photograph of that person."""


@dataclass(frozen=True)
class ListedPair:
    """One line of a list of pairs; the pair is genuine where both photographs show one person."""

    line: int
    first: Photo
    second: Photo


def development_half(name: str) -> bool:
    """Return whether a person of LFW may be opened by this project's own measurements and tests.

    Those are the people whose SHA-1 of the name begins with an even hex digit; the other half stays unseen.
    """
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()[0] in "02468ace"


def is_xqlfw(path: Path) -> bool:
    """Return whether a folder holds the list of pairs of XQLFW."""
    return (path / XQLFW_PAIRS).is_file()


def is_lfw(path: Path) -> bool:
    """Return whether a folder holds a list of pairs as LFW has it."""
    return (path / LFW_PAIRS).is_file()


def open_xqlfw(name: str, path: Path) -> TestSet:
    """Open XQLFW; see `open_lfw`."""
    return _open(name, path, XQLFW_PAIRS, "folder with xqlfw_pairs.txt", lambda person: True)


def open_lfw(name: str, path: Path, keep: Callable[[str], bool] = lambda person: True) -> TestSet:
    """Open a folder `<name>/<name>_0001.jpg` with `pairs.txt`; people that `keep` refuses are not opened.

    The photographs lie in the folder itself or in one folder of it. UserError for a line that is no pair, and for a
    pair of a photograph that is not there.
    """
    return _open(name, path, LFW_PAIRS, "folder with pairs.txt", keep)


def _open(name: str, path: Path, list_name: str, format: str, keep: Callable[[str], bool]) -> TestSet:
    file = path / list_name
    text = file.read_bytes()
    pairs = [pair for pair in parse_pairs(text, file) if keep(pair.first[0]) and keep(pair.second[0])]
    if not pairs:
        raise UserError(f"--on {name}: {file} lists no pair")
    photos = {photo: None for pair in pairs for photo in (pair.first, pair.second)}
    people = _People(path, pairs[0].first[0])
    for pair in pairs:
        for photo in (pair.first, pair.second):
            if people.file(photo) is None:
                raise UserError(
                    f"--on {name}: line {pair.line} of {file} names {_stem(photo)}, and {people.folder / photo[0]} "
                    "has no such image; complete the folder"
                )
    files = [found for photo in photos if (found := people.file(photo)) is not None]
    crops, origin = crops_of(files, name)
    place = {photo: position for position, photo in enumerate(photos)}
    first, second = (np.array([place[photo] for photo in side]) for side in zip(*_sides(pairs), strict=True))
    return TestSet(
        name=name,
        format=format,
        protocol=f"the pairs of {list_name}, genuine where both images show one name",
        sha256=files_digest(files, path, text),
        ids=tuple(_stem(photo) for photo in photos),
        crops=crops,
        crops_from=origin,
        identity=numbered([person for person, _ in photos]),
        pairs=ordered_pairs(first, second, np.array([pair.first[0] == pair.second[0] for pair in pairs])),
    )


def _sides(pairs: list[ListedPair]) -> list[tuple[Photo, Photo]]:
    return [(pair.first, pair.second) for pair in pairs]


def parse_pairs(text: bytes, source: Path) -> list[ListedPair]:
    """Return the pairs of a list: `name i j`, or `name i other j`, after at most one header line of one or two fields.

    UserError, with the number of the line, for anything else.
    """
    pairs = []
    for number, line in enumerate(text.decode("utf-8", "surrogateescape").splitlines(), 1):
        fields = line.split("\t") if "\t" in line else line.split()
        fields = [field.strip() for field in fields]
        if not any(fields) or (number == 1 and len(fields) <= 2):
            continue
        people, places = fields[0::2][:2], fields[1::2]
        if len(fields) == 3:
            people, places = [fields[0]] * 2, fields[1:]
        if len(fields) not in (3, 4) or not all(place.isdecimal() for place in places):
            raise UserError(f"line {number} of {source} is no pair: 'name i j' or 'name i other j' is needed")
        if any("/" in person or "\\" in person or person in ("", ".", "..") for person in people):
            raise UserError(f"line {number} of {source} names a person that can be no folder: {' '.join(fields)}")
        first, second = ((person, int(place)) for person, place in zip(people, places, strict=True))
        pairs.append(ListedPair(number, first, second))
    return pairs


def _stem(photo: Photo) -> str:
    return f"{photo[0]}_{photo[1]:04d}"


class _People:
    """Image files of the people below a folder; the folder of a person is listed once."""

    def __init__(self, root: Path, somebody: str) -> None:
        below = sorted(folder for folder in root.iterdir() if folder.is_dir())
        self.folder = next((one for one in (root, *below) if (one / somebody).is_dir()), root)
        self._files: dict[str, dict[str, Path]] = {}

    def file(self, photo: Photo) -> Path | None:
        """Return the file of a photograph; UserError where two files have its name."""
        person = photo[0]
        if person not in self._files:
            self._files[person] = self._listed(self.folder / person)
        return self._files[person].get(_stem(photo))

    def _listed(self, folder: Path) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            if is_image(file):
                if file.stem in found:
                    raise UserError(f"{found[file.stem]} and {file} have one id; remove one of them")
                found[file.stem] = file
        return found
