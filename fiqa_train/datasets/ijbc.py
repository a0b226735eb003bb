"""IJB-C: templates of several images and media, and the pairs of templates of its 1:1 protocol."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from synfiqa.fiqa_train.datasets.pair_table import PairTable, ordered_pairs
from synfiqa.fiqa_train.datasets.photo_files import PHOTOS, aligned_crops, files_digest, photo
from synfiqa.fiqa_train.datasets.testset import LISTED_POINTS, Crops, Templates, TestSet, doubled
from synfiqa.schemas.errors import UserError

MEDIA, PAIRS, POINTS = "ijbc_face_tid_mid.txt", "ijbc_template_pair_label.txt", "ijbc_name_5pts_score.txt"
IMAGES = "loose_crop"


def is_ijbc(path: Path) -> bool:
    """Return whether a folder, or its folder `meta`, holds the list of templates of IJB-C."""
    return _meta(path) is not None


def open_ijbc(name: str, path: Path) -> TestSet:
    """Open IJB-C: three lists in the folder or in `meta`, images in `loose_crop` or in the folder itself.

    UserError for a list that is damaged, names an image without landmarks, or pairs a template that has no image.
    """
    meta = _meta(path)
    assert meta is not None
    rows = _read(meta / MEDIA, ["image", "template", "media"], ["template", "media"])
    numbers = [f"p{k}" for k in range(10)]
    points = _read(meta / POINTS, ["image", *numbers, "score"], numbers)
    pairs = _read(meta / PAIRS, ["first", "second", "label"], ["first", "second", "label"])
    if (twice := doubled(points["image"].tolist())) is not None:
        raise UserError(f"--on {name}: {meta / POINTS} has two lines for {twice}; download it again")
    images = list(dict.fromkeys(rows["image"].tolist()))
    landmarks = dict(zip(points["image"], points[numbers].to_numpy(np.float64).reshape(-1, 5, 2), strict=True))
    folder = path / IMAGES if (path / IMAGES).is_dir() else path
    for image in images:
        if image not in landmarks:
            raise UserError(f"--on {name}: {meta / MEDIA} names {image}, which has no landmarks in {meta / POINTS}")
        if "/" in image or "\\" in image or not (folder / image).is_file():
            raise UserError(f"--on {name}: {meta / MEDIA} names {image}, and {folder} has no such image")
    names, template = np.unique(rows["template"].to_numpy(), return_inverse=True)
    place = {image: position for position, image in enumerate(images)}
    files = [folder / image for image in images]
    lists = [(meta / file).read_bytes() for file in (MEDIA, PAIRS, POINTS)]
    return TestSet(
        name=name,
        format="IJB-C",
        protocol="the template pairs of the list; a template is the normalised sum over its media of the mean feature "
        "of their images, and its quality that of its worst image",
        sha256=files_digest(files, path, *lists),
        ids=tuple(images),
        crops=partial(_crops, files, [landmarks[image] for image in images]),
        crops_from=LISTED_POINTS,
        pairs=_template_pairs(pairs, names, f"--on {name}: {meta / PAIRS}"),
        templates=Templates(
            np.array([place[image] for image in rows["image"]], np.int64),
            template.astype(np.int64),
            rows["media"].to_numpy(np.int64),
            tuple(str(number) for number in names),
        ),
    )


def _meta(path: Path) -> Path | None:
    return next((folder for folder in (path / "meta", path) if (folder / MEDIA).is_file()), None)


def _read(file: Path, columns: list[str], numeric: list[str]) -> pd.DataFrame:
    """Return a list of fields separated by blanks; UserError where it is none of these columns."""
    try:
        table = pd.read_csv(file, sep=r"\s+", header=None, names=columns, index_col=False, dtype={"image": str})
        if table[columns].isna().to_numpy().any():
            raise ValueError("a field is empty")
        for column in numeric:
            if table[column].dtype.kind not in "iuf":
                raise ValueError(f"column {columns.index(column) + 1} holds other than numbers")
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise UserError(f"{file} is no list of IJB-C ({error}); download it again") from error
    return table


def _template_pairs(pairs: pd.DataFrame, names: np.ndarray, where: str) -> PairTable:
    sides = []
    for side in ("first", "second"):
        wanted = pairs[side].to_numpy()
        found = np.searchsorted(names, wanted).clip(max=len(names) - 1)
        if (unknown := wanted[names[found] != wanted]).size:
            raise UserError(f"{where} pairs template {unknown[0]}, which has no image; download both lists again")
        sides.append(found.astype(np.int64))
    if not pairs["label"].isin([0, 1]).all():
        raise UserError(f"{where} has a label other than 0 and 1; download it again")
    return ordered_pairs(sides[0], sides[1], pairs["label"].to_numpy() == 1)


def _crops(files: Sequence[Path], landmarks: Sequence[np.ndarray]) -> Iterator[Crops]:
    for start in range(0, len(files), PHOTOS):
        pictures = [photo(file) for file in files[start : start + PHOTOS]]
        yield aligned_crops(pictures, landmarks[start : start + PHOTOS])
