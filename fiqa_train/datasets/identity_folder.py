"""Folders of images by identity: one folder a person, or the file names of Adience."""

import re
from collections.abc import Callable
from pathlib import Path

from synfiqa.fiqa_train.datasets.photo_files import crops_of, files_digest, is_image
from synfiqa.fiqa_train.datasets.testset import TestSet, numbered
from synfiqa.schemas.errors import UserError

ADIENCE = re.compile(r"(?:coarse_tilt|landmark)_aligned_face\.(\d+)\..+")
"""File names of Adience: the number is that of the person; folders are those of the account."""
PROTOCOL = "all pairs of images; of more than 2,000,000 impostor pairs a seeded sample"


def is_adience(path: Path) -> bool:
    """Return whether the images of the first folder with any have the names of Adience."""
    return (images := _first_images(path)) != [] and all(ADIENCE.fullmatch(file.name) for file in images)


def is_identities(path: Path) -> bool:
    """Return whether a folder has folders with images."""
    return _first_images(path) != []


def open_adience(name: str, path: Path) -> TestSet:
    """Open the faces of Adience, whose file names hold the person; UserError for a file of another name."""
    files = [file for folder in _folders(path) for file in _images(folder)]
    people = []
    for file in files:
        match = ADIENCE.fullmatch(file.name)
        if match is None:
            raise UserError(f"--on {name}: {file} has no name of Adience; remove it")
        people.append(match[1])
    return _set(name, path, files, people, "Adience")


def open_identities(name: str, path: Path, keep: Callable[[str], bool] = lambda person: True) -> TestSet:
    """Open a folder with one folder a person; people that `keep` refuses are not opened.

    UserError for a folder without an image, which is an identity that lacks its files.
    """
    folders = [folder for folder in _folders(path) if keep(folder.name)]
    by_person = {folder.name: _images(folder) for folder in folders}
    if empty := [person for person, files in by_person.items() if not files]:
        raise UserError(f"--on {name}: {path / empty[0]} holds no image; complete or remove it ({len(empty)} such)")
    files = [file for own in by_person.values() for file in own]
    people = [person for person, own in by_person.items() for _ in own]
    return _set(name, path, files, people, "folder of identities")


def _set(name: str, path: Path, files: list[Path], people: list[str], format: str) -> TestSet:
    crops, origin = crops_of(files, name)
    return TestSet(
        name=name,
        format=format,
        protocol=PROTOCOL,
        sha256=files_digest(files, path),
        ids=tuple(file.relative_to(path).with_suffix("").as_posix() for file in files),
        crops=crops,
        crops_from=origin,
        identity=numbered(people),
    )


def _folders(path: Path) -> list[Path]:
    return sorted(folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith("."))


def _images(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if is_image(file))


def _first_images(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    return next((images for folder in _folders(path) if (images := _images(folder))), [])
