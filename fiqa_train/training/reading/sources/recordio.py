"""The public layout of MXNet RecordIO files with the image header that InsightFace uses.

A record is a 32-bit magic number, a 32-bit word with the kind of its part (upper 3 bits) and its length (lower 29), the
data, and zeros up to a multiple of 4 bytes; all little-endian. Data that hold the magic number at a multiple of 4 are
stored in parts (first 1, middle 2, last 3) without it. An image record starts with flag (uint32), label (float32), id
and id2 (uint64); with a flag above 0 so many float32 labels follow.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

MAGIC = 0xCED7230A
_MAGIC = struct.pack("<I", MAGIC)
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_HEADER = struct.Struct("<IfQQ")


@dataclass(frozen=True)
class ImageRecord:
    """Labels float32 (N,) of a record, one at least, and its encoded image; empty for records without one."""

    labels: np.ndarray
    image: bytes


def read_index(text: str) -> dict[int, int]:
    """Return the byte of the file at which each record starts, by number, in the order of the file.

    ValueError, a sentence without its subject, for a line that is no such pair and a number that stands twice.
    """
    places: dict[int, int] = {}
    for line, content in enumerate(text.splitlines(), 1):
        fields = content.split()
        if not fields:
            continue
        if len(fields) != 2 or not all(field.isdecimal() for field in fields):
            raise ValueError(f"has no record number and byte in line {line}")
        number, place = map(int, fields)
        if number in places:
            raise ValueError(f"lists record {number} twice")
        places[number] = place
    return dict(sorted(places.items(), key=lambda item: item[1]))


def record_at(data: bytes, place: int) -> bytes:
    """Return the data of the record that starts at a byte; ValueError when it is cut short or none starts there."""
    parts: list[bytes] = []
    for kind, part in _parts(data, place):
        if kind not in ((_MIDDLE, _LAST) if parts else (_WHOLE, _FIRST)):
            raise ValueError("has its parts in a wrong order")
        parts.append(part)
        if kind in (_WHOLE, _LAST):
            return _MAGIC.join(parts)
    raise ValueError("is cut short")


def _parts(data: bytes, place: int) -> Iterator[tuple[int, bytes]]:
    """Yield kind and data of the parts from a byte on, up to one that is cut short."""
    while place + 8 <= len(data):
        magic, word = struct.unpack_from("<II", data, place)
        if magic != MAGIC:
            raise ValueError("does not start with the mark of a record")
        kind, length = word >> 29, word & (1 << 29) - 1
        part = data[place + 8 : place + 8 + length]
        if len(part) != length:
            return
        place += 8 + (length + 3 & ~3)
        yield kind, part


def parse_image(record: bytes) -> ImageRecord:
    """Return labels and image of a record; ValueError when its header is cut short."""
    if len(record) < _HEADER.size:
        raise ValueError("is too short for an image header")
    flag, label, _, _ = _HEADER.unpack_from(record)
    if not flag:
        return ImageRecord(np.array([label], np.float32), record[_HEADER.size :])
    end = _HEADER.size + 4 * flag
    if len(record) < end:
        raise ValueError(f"is too short for its {flag} labels")
    return ImageRecord(np.frombuffer(record, "<f4", flag, _HEADER.size), record[end:])
