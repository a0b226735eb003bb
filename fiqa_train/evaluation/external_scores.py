"""Scores of images from files that other tools have written: `--scores [SET:]NAME=FILE[:COMPONENT]`.

A file is a CSV with a column of image names and one of scores, higher being better, or a CSV of OFIQ.
"""

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synfiqa.actors.quality.registry import SCORERS
from synfiqa.fiqa_train.datasets.formats import NAME
from synfiqa.fiqa_train.datasets.scores.image_names import ImageNames
from synfiqa.fiqa_train.datasets.scores.score_csv import read_scores
from synfiqa.fiqa_train.ofiq.csv_table import is_ofiq, read_ofiq
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.evaluation import ScoreFileRecord
from synfiqa.schemas.factors.ofiq_components import COMPONENTS

RUN = "run"
"""Name of the set of the run's own held-out images."""

_RESERVED = {*SCORERS, "sample_id", "identity", "kind", "id", "similarity"}
_SOURCE = re.compile(rf"(?:({NAME.pattern}):)?({NAME.pattern})=(.+)", re.DOTALL)
_NAMED = 3


@dataclass(frozen=True)
class ScoreFile:
    """Rows of one file: image names and scores (N,), `set` where they are of one set alone.

    `digest` is the SHA-256 of the file, with the component of OFIQ. `components` are all scalars of a CSV of OFIQ, NaN
    where they failed; a score is then -1.
    """

    name: str
    set: str | None
    path: str
    digest: str
    images: list[str]
    scores: np.ndarray
    components: Mapping[str, np.ndarray] | None = None

    def covers(self, name: str) -> bool:
        """Return whether the file is meant for a set."""
        return self.set in (None, name)


@dataclass(frozen=True)
class MatchedScores:
    """Scores (N,) of the images of a set in their order, NaN for those without, and what there was of others.

    `components` are those of OFIQ in the same order.
    """

    file: ScoreFile
    scores: np.ndarray
    unmatched: int
    components: Mapping[str, np.ndarray]

    @property
    def record(self) -> ScoreFileRecord:
        """Return what a result records of the file."""
        return ScoreFileRecord(
            name=self.file.name, sha256=self.file.digest, rows=len(self.file.images), unmatched=self.unmatched
        )

    def require(self, ids: Sequence[str], wanted: np.ndarray, what: str) -> None:
        """Raise UserError when a wanted image (N,) has no score; `what` are the images."""
        missing = np.flatnonzero(wanted & np.isnan(self.scores))
        if len(missing):
            named = ", ".join(ids[row] for row in missing[:_NAMED])
            raise UserError(
                f"--scores {self.file.name}: {self.file.path} has no score for {len(missing)} of "
                f"{int(wanted.sum())} {what}, such as {named}; score all of them"
            )


def open_score_files(sources: Sequence[str], taken: Collection[str], sets: Collection[str]) -> list[ScoreFile]:
    """Read the files; `taken` are the names of other scorers, `sets` those of the sets that are measured on.

    UserError for a name that is taken or given twice, a set that is none of these, a file that is not there or has no
    such columns, and for scores that are no finite numbers.
    """
    found: list[ScoreFile] = []
    for source in sources:
        of_set, name, path, component = _parsed(source)
        if of_set is not None and of_set not in sets:
            raise UserError(f"--scores {source}: no set '{of_set}' is measured on, but {', '.join(sets)}")
        if name in taken or name in _RESERVED:
            raise UserError(f"--scores {source}: '{name}' is the name of a scorer or column; choose another")
        if any(file.name == name and (of_set in (None, file.set) or file.set is None) for file in found):
            raise UserError(f"--scores {source}: the name '{name}' is given twice; choose another")
        found.append(_read(of_set, name, path, component))
    return found


def matched(file: ScoreFile, names: ImageNames) -> MatchedScores:
    """Return the scores of the images of a set; UserError for an image with two different scores."""
    rows = np.array([names.find(image) for image in file.images], np.int64)
    here = np.flatnonzero(rows >= 0)
    scores = np.full(len(names), np.nan)
    scores[rows[here]] = file.scores[here]
    different = here[scores[rows[here]] != file.scores[here]]
    if len(different):
        image = file.images[different[0]]
        raise UserError(
            f"--scores {file.name}: {file.path} has different scores for {len(set(rows[different].tolist()))} images, "
            f"such as {image}; leave one row an image"
        )
    components = {}
    for name, values in (file.components or {}).items():
        components[name] = np.full(len(names), np.nan)
        components[name][rows[here]] = values[here]
    return MatchedScores(file, scores, len(file.images) - len(here), components)


def _parsed(source: str) -> tuple[str | None, str, Path, str]:
    """Return set, name, path and component of OFIQ."""
    match = _SOURCE.fullmatch(source)
    of_set, name, path = (match[1], match[2], match[3]) if match else (None, "", source)
    file, mark, component = path.rpartition(":")
    if not mark or component not in COMPONENTS or Path(path).exists():
        file, component = path, ""
    name = name or Path(file).stem
    if not NAME.fullmatch(name):
        raise UserError(f"--scores {source}: give NAME=FILE, the name of letters, digits, dots, _ and -")
    return of_set, name, Path(file).expanduser(), component


def _read(of_set: str | None, name: str, path: Path, component: str) -> ScoreFile:
    try:
        content = path.read_bytes()
        # An image name can have bytes that are not UTF-8, which `synfiqa score` writes as they are.
        text = content.decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise UserError(f"--scores {name}: cannot read {path} ({error.strerror})") from error
    digest = hashlib.sha256(content).hexdigest()
    if is_ofiq(text.partition("\n")[0]):
        return _ofiq(of_set, name, path, component, digest, text)
    if component:
        raise UserError(f"--scores {name}: {path} is no CSV of OFIQ, so that it has no {component}; leave it out")
    images, scores = read_scores(f"--scores {name}: {path}", text)
    return ScoreFile(name, of_set, str(path), digest, images, scores)


def _ofiq(of_set: str | None, name: str, path: Path, component: str, digest: str, text: str) -> ScoreFile:
    where = f"--scores {name}: {path}"
    table = read_ofiq(where, text)
    component = component or COMPONENTS[0]
    scalars = table.scalars.get(component)
    if scalars is None or not np.isfinite(scalars).any():
        known = [one for one, values in table.scalars.items() if np.isfinite(values).any()]
        raise UserError(
            f"{where} has no {component} of any image; name another component as FILE:COMPONENT, "
            f"such as {', '.join(known) or 'none'}"
        )
    scores = np.where(np.isnan(scalars), -1.0, scalars)
    return ScoreFile(name, of_set, str(path), f"{digest}:{component}", table.names, scores, table.scalars)
