"""Writes RecordIO files as MXNet and InsightFace lay them out, from their public description."""

import struct
from itertools import count, pairwise

import numpy as np

MAGIC = struct.pack("<I", 0xCED7230A)


def framed(data):
    """Return the bytes of a record; its data are split where they hold the magic number at a multiple of four."""
    cuts = [place for place in range(0, len(data) - 3, 4) if data[place : place + 4] == MAGIC]
    starts, stops = [0, *(cut + 4 for cut in cuts)], [*cuts, len(data)]
    parts = [data[start:stop] for start, stop in zip(starts, stops, strict=True)]
    kinds = [0] if len(parts) == 1 else [1, *[2] * (len(parts) - 2), 3]
    framed = b""
    for kind, part in zip(kinds, parts, strict=True):
        framed += MAGIC + struct.pack("<I", kind << 29 | len(part)) + part + bytes(-len(part) % 4)
    return framed


def record(labels, image=b"", number=0):
    """Return the data of an image record: one label in the header, several after it."""
    if np.ndim(labels) == 0:
        return struct.pack("<IfQQ", 0, labels, number, 0) + image
    values = np.asarray(labels, "<f4")
    return struct.pack("<IfQQ", len(values), 0, number, 0) + values.tobytes() + image


def write_records(folder, people, *, listed=True):
    """Write `train.rec` and `train.idx`, `people[k]` being the images of identity k; return the bytes by record.

    Records are numbered from 1 on, after that of the file; `listed` writes that record and those of the identities.
    """
    images = [(label, image) for label, own in enumerate(people) for image in own]
    records = {number: record(float(label), image, number) for number, (label, image) in zip(count(1), images)}
    if listed:
        stop = len(images) + 1
        records = {0: record([stop, stop + len(people)])} | records
        ends = np.cumsum([1, *(len(own) for own in people)]).tolist()
        records |= {stop + k: record([first, last]) for k, (first, last) in enumerate(pairwise(ends))}
    places, data = {}, b""
    for number, content in records.items():
        places[number] = len(data)
        data += framed(content)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.rec").write_bytes(data)
    (folder / "train.idx").write_text("".join(f"{number}\t{place}\n" for number, place in places.items()))
    return places
