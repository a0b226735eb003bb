"""The options of `score`, and the scorers and the search that they request."""

from pathlib import Path

from synfiqa.jobs.command import option
from synfiqa.jobs.options import positive
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import BUNDLED_QUALITY

SCALE = (
    "A score of bundled-quality lies about between 0 and 1. Its percentile is the share of the model's validation "
    "samples that score lower, its scalar the score on 0..100; both compare models, which scores do not. As a first "
    "threshold discard below percentile 10 (a score of 0.29 of bundled-quality), then move it by what your recogniser "
    "gets wrong."
)
"""Sentences below the options: what a score is worth, and a first threshold."""

OPTIONS = (
    option("paths", nargs="+", metavar="PATH", help="photographs, or folders of them; videos with --best"),
    option(
        "--model",
        default=BUNDLED_QUALITY,
        metavar="PATH",
        help="bundled-quality (default), sharpness, norm, mirror, detector, random, froq, ser-fiq, grafiqs, "
        "iso-luminance and others; models.yaml:NAME of a catalogue; or run, model folder, .safetensors, .onnx, "
        ".froq.json or published .pth file; several separated by commas",
    ),
    option(
        "--out",
        default="scores.csv",
        metavar="FILE",
        help="file to write, .csv, .jsonl or .parquet (default: scores.csv); - is CSV on standard output",
    ),
    option("--device", default="cpu", metavar="NAME", help="cpu (default), cuda or cuda:N"),
    option("--batch", type=positive, metavar="N", help="photographs in memory at once"),
    option("--min-face", type=positive, metavar="N", help="leave out faces less than N pixels wide"),
    option("--search-size", type=positive, metavar="N", help="long side in pixels at which faces are searched"),
    option("--aligned", action="store_true", help="the photographs are aligned crops of 112 x 112 pixels"),
    option("--all-faces", action="store_true", help="a row for each face, not for one of a photograph"),
    option(
        "--which",
        choices=("largest", "central"),
        default="largest",
        help="the face to score where there are several (default: largest)",
    ),
    option("--preview", metavar="DIR", help="folder for a page with the best, the worst and those without a score"),
    option("--best", type=positive, metavar="N", help="of videos: the N best shots of each person, with time stamps"),
)


def models_of(text: str) -> list[str]:
    """Return the scorers that a text names, separated by commas; the path of a file or folder may hold commas."""
    if Path(text).exists():
        return [text]
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UserError("--model is empty: name a scorer, a run folder or a .safetensors file")
    return names
