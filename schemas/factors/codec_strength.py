"""How much a codec spoils a photograph, as the quality of JPEG that spoils it as much.

Measured on rendered photographs of 12 people, e of 12, 30, 60 and 100 pixels on the sensor, noise of 1.3 grey levels,
no other fault: each was coded by each codec, and its mean squared error found on the curve of JPEG's. The table holds
medians over people. For WebP and AVIF the ninetieth percentile is at most 1.5 times the tenth. JPEG 2000 writes files
of a fixed size, which harm a small or busy picture most: at quality 1 its equal is 1 at e = 12 and 49 at e = 100, and
percentiles differ by factors of 1.5, 2.3, 3.1 and 8 from the largest face to the smallest.
"""

from typing import get_args

import numpy as np

from synfiqa.schemas.recipe import Codec

CODECS: tuple[str, ...] = get_args(Codec)
"""Codecs in the order of their numbers in `jpeg_equal`."""

# Rows of a table are values of e on the sensor, columns qualities.
_EYES = (12, 30, 60, 100)
_QUALITIES = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
_EQUAL: dict[Codec, tuple[tuple[int, ...], ...]] = {
    "jpeg2000": (
        (1, 1, 1, 1, 3, 8, 14, 27, 56, 83, 93),
        (9, 13, 19, 28, 45, 71, 84, 91, 95, 97, 98),
        (26, 35, 52, 68, 81, 88, 93, 95, 96, 97, 98),
        (49, 64, 74, 80, 85, 90, 92, 94, 95, 97, 98),
    ),
    "webp": (
        (10, 17, 24, 31, 41, 56, 66, 71, 83, 94, 98),
        (11, 17, 23, 28, 34, 43, 51, 60, 76, 91, 98),
        (14, 19, 24, 29, 35, 40, 48, 58, 72, 88, 97),
        (15, 21, 25, 31, 37, 40, 47, 53, 67, 84, 97),
    ),
    "avif": (
        (7, 11, 15, 23, 35, 63, 81, 90, 94, 96, 99),
        (11, 15, 22, 31, 46, 70, 82, 88, 93, 95, 99),
        (14, 19, 26, 36, 50, 72, 79, 84, 90, 94, 99),
        (19, 23, 29, 39, 52, 70, 74, 79, 85, 91, 99),
    ),
}


def jpeg_equal(codec: np.ndarray, quality: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """Return the quality of JPEG, float (N,), with the error of the codec's `quality` where the eyes are `eyes` apart.

    `codec` is its number in `CODECS`; NaN for NaN.
    """
    place = np.interp(np.log(eyes), np.log(_EYES), np.arange(len(_EYES)))
    lower = np.clip(np.nan_to_num(place).astype(int), 0, len(_EYES) - 2)
    found = np.where(codec == CODECS.index("jpeg"), quality, np.nan)
    for name, table in _EQUAL.items():
        rows = np.log([np.interp(quality, _QUALITIES, equal) for equal in table])
        low, high = (np.take_along_axis(rows, (lower + step)[None], axis=0)[0] for step in (0, 1))
        found = np.where(codec == CODECS.index(name), np.exp(low + (place - lower) * (high - low)), found)
    return np.asarray(found)
