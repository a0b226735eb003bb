"""Reads unlabelled faces to calibrate a scorer on: degraded samples of a run, or a folder of aligned crops."""

from pathlib import Path

import numpy as np

from synfiqa.actors.imaging.alignment import ARCFACE_SIZE
from synfiqa.actors.imaging.codec import decode, image_size
from synfiqa.cluster.storage.storage import redact
from synfiqa.fiqa_train.datasets.opened_run import OpenedRun, open_run
from synfiqa.fiqa_train.datasets.photo_files import is_image, photo
from synfiqa.fiqa_train.datasets.run_set import is_run
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.seeds import derive_seed, generator


def calibration_faces(source: str, count: int, seed: int) -> tuple[np.ndarray, str]:
    """Return uint8 RGB faces (at most `count`, 112, 112, 3) of a run or folder, and where they are from in words.

    The subset is drawn by the seed and sorted, so that it depends on nothing else. UserError for a folder without
    images, and for images of another size than 112 x 112.
    """
    if is_run(source):
        return _of_run(open_run(source), count, seed)
    if not Path(source).is_dir():
        raise UserError(f"--data {redact(source)} is no run and no folder: name one of faces aligned to 112 x 112")
    return _of_folder(Path(source), count, seed)


def _of_run(run: OpenedRun, count: int, seed: int) -> tuple[np.ndarray, str]:
    degraded = [
        str(row["sample_id"])
        for table in run.samples(["sample_id", "kind"])
        for row in table.to_pylist()
        if row["kind"] != "reference"
    ]
    chosen = set(_drawn(sorted(degraded), count, seed))
    found: dict[str, np.ndarray] = {}
    for table in run.samples(["sample_id", "image"]) if chosen else ():
        for name, image in zip(table["sample_id"].to_pylist(), table["image"], strict=True):
            if name in chosen:
                try:
                    found[name] = decode(image.as_py()["bytes"])
                except ValueError as error:
                    raise JobFailed(f"the image of sample {name} cannot be used ({error})") from error
    images = [found[name] for name in sorted(found)]
    return _stacked(
        images
    ), f"{len(images)} degraded samples of the run with digest {run.digest[:16]}, drawn by seed {seed}"


def _of_folder(folder: Path, count: int, seed: int) -> tuple[np.ndarray, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and is_image(path))
    chosen = sorted(_drawn([path.relative_to(folder).as_posix() for path in files], count, seed))
    for name in chosen:
        try:
            size = image_size(folder / name)
        except ValueError as error:
            raise UserError(f"--data {folder}: {error}; restore the file or take it away") from error
        if size != (ARCFACE_SIZE, ARCFACE_SIZE):
            raise UserError(
                f"--data {folder}: {name} has {size[0]} x {size[1]} pixels, not 112 x 112; align the faces first"
            )
    images = [photo(folder / name) for name in chosen]
    return _stacked(images), f"{len(images)} images of the folder {folder.absolute().name}, drawn by seed {seed}"


def _drawn(names: list[str], count: int, seed: int) -> list[str]:
    order = generator(derive_seed(seed, "calibration-faces")).permutation(len(names))
    return [names[index] for index in order[:count]]


def _stacked(images: list[np.ndarray]) -> np.ndarray:
    return np.stack(images) if images else np.empty((0, ARCFACE_SIZE, ARCFACE_SIZE, 3), np.uint8)
