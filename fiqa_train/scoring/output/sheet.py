"""An HTML sheet of the best and worst faces and of photographs without a score, with boxes drawn."""

import base64
import heapq
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image, ImageDraw

from synfiqa.fiqa_train.scoring.output.score_columns import Row
from synfiqa.schemas.errors import UserError

SHOWN = 24
"""Faces at most in each part of a sheet."""
SIDE = 320
"""Longest side of a thumbnail, pixels."""
CONTEXT = 1.0
"""Margin around a box in a thumbnail, as a share of its longer side."""
PAGE = "index.html"

type Read = Callable[[Row], tuple[np.ndarray, float]]
"""Returns the picture of a row, uint8 RGB (H, W, 3), and how many pixels of the photograph one of its pixels is;
ValueError or OSError where it cannot be read."""


@dataclass
class SheetRows:
    """The rows that a sheet shows, kept as rows come: so many best, worst and without a score."""

    best: list[tuple[float, int, Row]] = field(default_factory=list)
    worst: list[tuple[float, int, Row]] = field(default_factory=list)
    failed: list[Row] = field(default_factory=list)
    _count: int = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Take the rows of one photograph into account."""
        for row in rows:
            self._count += 1
            score = row["score"]
            if score is None:
                if len(self.failed) < SHOWN:
                    self.failed.append(row)
                continue
            for heap, key in ((self.best, float(score)), (self.worst, -float(score))):
                heapq.heappush(heap, (key, -self._count, row))
                if len(heap) > SHOWN:
                    heapq.heappop(heap)

    def parts(self) -> list[tuple[str, list[Row]]]:
        """Return the parts of a sheet: a title with its rows, best first, worst first, failed in order of coming.

        A face stands in one part only, so that few faces have no worst ones.
        """
        best = [row for *_, row in sorted(self.best, key=lambda entry: entry[:2], reverse=True)]
        shown = {count for _, count, _ in self.best}
        lowest = sorted(self.worst, key=lambda entry: entry[:2], reverse=True)
        worst = [row for _, count, row in lowest if count not in shown]
        return [("Best", best), ("Worst", worst), ("Without a score", self.failed)]


def require_folder(folder: Path) -> None:
    """Make the folder of a sheet; UserError where it is a file or cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"--preview {folder} cannot be made ({error.strerror}): give a folder that may be written"
        ) from error


def write_sheet(folder: Path, rows: SheetRows, read: Read, facts: Mapping[str, str]) -> Path:
    """Write `index.html` with its pictures inside and return its path; `facts` stand at the top, by name."""
    parts = [(title, [_entry(row, read) for row in shown]) for title, shown in rows.parts() if shown]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("sheet.html.j2").render(parts=parts, facts=facts)
    path = folder / PAGE
    path.write_text(page, encoding="utf-8")
    return path


def _entry(row: Row, read: Read) -> dict[str, str]:
    entry = {
        "name": str(row["path"]),
        "score": "" if row["score"] is None else f"{row['score']:.3f}",
        "detail": _detail(row),
        "reason": str(row["reason"] or ""),
        "picture": "",
    }
    try:
        image, reduction = read(row)
    except (OSError, ValueError):
        return entry
    entry["picture"] = _thumbnail(image, _box(row, reduction))
    return entry


def _detail(row: Row) -> str:
    parts = []
    if row.get("percentile") is not None:
        parts.append(f"percentile {row['percentile']:.0f}")
    if row.get("scalar") is not None:
        parts.append(f"{row['scalar']:.0f} of 100")
    if row.get("time") is not None:
        parts.append(f"{row['time']:.2f} s, track {row['track']}")
    if row["faces"] and int(row["faces"]) > 1 and row["face"] is not None:
        parts.append(f"face {int(row['face']) + 1} of {row['faces']}")
    return ", ".join(parts)


def _box(row: Row, reduction: float) -> tuple[float, float, float, float] | None:
    sides = [row[side] for side in ("x0", "y0", "x1", "y1")]
    if any(side is None for side in sides):
        return None
    x0, y0, x1, y1 = (float(side or 0) / reduction for side in sides)
    return x0, y0, x1, y1


def _thumbnail(image: np.ndarray, box: tuple[float, float, float, float] | None) -> str:
    """Return a JPEG as data URL: the surroundings of the box with its outline, or the whole picture."""
    picture = Image.fromarray(image)
    left = top = 0.0
    if box is not None:
        x0, y0, x1, y1 = box
        margin = CONTEXT * max(x1 - x0, y1 - y0)
        left, top = max(0.0, x0 - margin), max(0.0, y0 - margin)
        right, bottom = min(float(picture.width), x1 + margin), min(float(picture.height), y1 + margin)
        if right - left >= 1 and bottom - top >= 1:
            picture = picture.crop((int(left), int(top), round(right), round(bottom)))
            left, top = float(int(left)), float(int(top))
    scale = min(1.0, SIDE / max(picture.size))
    picture = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    if box is not None:
        sides = [(value - offset) * scale for value, offset in zip(box, (left, top, left, top), strict=True)]
        ImageDraw.Draw(picture).rectangle(sides, outline=(255, 214, 10), width=2)
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
