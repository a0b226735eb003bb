"""Finds images of a set by the names that files of other tools give them."""

import re
from collections.abc import Sequence

_EXTENSION = re.compile(r"\.(?:jpe?g|png|bmp|webp|tiff?|ppm)$", re.IGNORECASE)
_SAMPLE = re.compile(r"0*(\d+)/(Ref-\d+|\d+)")


class ImageNames:
    """The ids of a set, and the names under which a path means one of them.

    Folders before an id, `./`, backslashes, the extension of an image and leading zeros of an identity (an export's
    `data/12/17.jpg` is the sample `000012/17`) make no difference. An id that is written in full comes first.
    """

    def __init__(self, ids: Sequence[str]) -> None:
        self._exact = {_slashed(name): row for row, name in enumerate(ids)}
        self._count = len(ids)
        self._loose: dict[str, int] = {}
        for row, name in enumerate(ids):
            key = _loose(_slashed(name))
            # Two images of one such name are found by their full ids alone.
            self._loose[key] = row if key not in self._loose else -1

    def __len__(self) -> int:
        """Return the number of images."""
        return self._count

    def find(self, path: str) -> int:
        """Return the position of the image that a path names, -1 where it is none of the set."""
        parts = _slashed(path).split("/")
        for first in range(len(parts)):
            rest = "/".join(parts[first:])
            found = self._exact.get(rest, -1)
            if found < 0:
                found = self._loose.get(_loose(rest), -1)
            if found >= 0:
                return found
        return -1


def _slashed(path: str) -> str:
    return "/".join(part for part in path.strip().replace("\\", "/").split("/") if part not in ("", "."))


def _loose(path: str) -> str:
    plain = _EXTENSION.sub("", path)
    sample = _SAMPLE.fullmatch(plain)
    return f"{sample[1]}/{sample[2]}" if sample else plain
