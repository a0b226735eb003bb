"""Kinds of files: which are photographs, by their names or by their first bytes."""

from pathlib import PurePosixPath

from synfiqa.actors.imaging.photo_decoding import HEIF_BRANDS

SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "tif", "tiff", "bmp", "dib", "gif", "ppm", "pgm", "pbm"),
        *("pnm", "jp2", "j2k", "j2c", "jpc", "jpf", "jpx", "tga", "avif", "avifs", "mpo", "heic", "heif", "hif", "jxl"),
    )
)
"""File name endings (lower case) of photographs inside a folder; a file named directly may have any."""

LISTS = frozenset({".txt", ".csv"})
"""Endings of files that list photographs."""

TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
PARQUET = (".parquet",)

_AVIF_BRANDS = (b"avif", b"avis")
_SIGNATURES = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"BM", b"GIF87a", b"GIF89a"),
    *(b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51", b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"),
)
SIGNATURE_BYTES = 16
"""Bytes of a file that `is_image` looks at."""


def suffix_of(name: str) -> str:
    """Return the ending of a file name in lower case, with both parts of `.tar.gz` and its relatives."""
    lower = name.lower()
    return next((ending for ending in TARS if lower.endswith(ending)), PurePosixPath(lower).suffix)


def is_hidden(name: str) -> bool:
    """Return whether a file is one that file managers hide, such as the `._photo.jpg` of a copy from a Mac."""
    return PurePosixPath(name).name.startswith(".")


def is_image(start: bytes) -> bool:
    """Return whether a file that begins with these bytes is an image of a kind that photographs have."""
    return (
        start.startswith(_SIGNATURES)
        or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")
        or (start[4:8] == b"ftyp" and start[8:12] in (*HEIF_BRANDS, *_AVIF_BRANDS))
    )
