"""TinyFace: probes against the matched gallery of its identification protocol, as verification pairs."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat

from synfiqa.fiqa_train.datasets.photo_files import crops_of, files_digest
from synfiqa.fiqa_train.datasets.testset import TestSet
from synfiqa.schemas.errors import UserError

GALLERY, PROBE = "gallery", "probe"
_FILES = {GALLERY: "gallery_match_img_ID_pairs.mat", PROBE: "probe_img_ID_pairs.mat"}
_FOLDERS = {GALLERY: "Gallery_Match", PROBE: "Probe"}


def is_tinyface(path: Path) -> bool:
    """Return whether a folder, or its `Testing_Set`, holds the lists of TinyFace."""
    return _root(path) is not None


def open_tinyface(name: str, path: Path) -> TestSet:
    """Open the testing set; distractors of the gallery, which have no identity, are left out.

    UserError for a list that names an image which is not there.
    """
    root = _root(path)
    assert root is not None
    files: list[Path] = []
    people: list[int] = []
    is_reference: list[bool] = []
    for part, list_name in _FILES.items():
        names, numbers = _listed(root / list_name, part)
        for image in names:
            file = root / _FOLDERS[part] / image
            if "/" in image or "\\" in image or not file.is_file():
                raise UserError(f"--on {name}: {root / list_name} names {image}, and {file.parent} has no such image")
            files.append(file)
        people += numbers
        is_reference += [part == GALLERY] * len(numbers)
    crops, origin = crops_of(files, name)
    lists = [(root / list_name).read_bytes() for list_name in _FILES.values()]
    return TestSet(
        name=name,
        format="TinyFace",
        protocol="probes against the matched gallery, each pair or a seeded sample; the identification protocol has no "
        "verification pairs",
        sha256=files_digest(files, root, *lists),
        ids=tuple(file.relative_to(root).as_posix() for file in files),
        crops=crops,
        crops_from=origin,
        identity=np.array(people, np.int64),
        is_reference=np.array(is_reference, bool),
    )


def _root(path: Path) -> Path | None:
    roots = (path, path / "Testing_Set")
    return next((root for root in roots if all((root / file).is_file() for file in _FILES.values())), None)


def _listed(file: Path, part: str) -> tuple[list[str], list[int]]:
    """Return names and identities of a list; UserError where its variables are not those of TinyFace."""
    try:
        content: dict[str, Any] = loadmat(str(file))
        names = [str(np.ravel(cell)[0]) for cell in np.ravel(content[f"{part}_set"])]
        numbers = [int(np.ravel(cell)[0]) for cell in np.ravel(content[f"{part}_ids"])]
    except Exception as error:  # damaged MATLAB files raise errors of many types
        raise UserError(f"{file} is no list of TinyFace ({error}); download it again") from error
    if len(names) != len(numbers):
        raise UserError(f"{file} lists {len(names)} images and {len(numbers)} identities; download it again")
    return names, numbers
