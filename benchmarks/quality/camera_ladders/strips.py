"""Sheets of strips: a title and its unit on the left, then images with a line of text below each."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE, BELOW, MARGIN = 112, 16, 148
_LETTERS = 24  # of a line in the margin
_LINE = 14


@dataclass(frozen=True)
class Strip:
    """One row: a title, a remark below it, images uint8 RGB of at most 112 pixels, a text for each."""

    title: str
    remark: str
    images: Sequence[np.ndarray]
    texts: Sequence[str]


def sheet(strips: Sequence[Strip]) -> np.ndarray:
    """Return the strips below each other, uint8 RGB on white."""
    columns = max(len(strip.images) for strip in strips)
    page = Image.new("RGB", (MARGIN + columns * (SIDE + 2), len(strips) * (SIDE + BELOW)), "white")
    draw, large, small = ImageDraw.Draw(page), ImageFont.load_default(13), ImageFont.load_default(11)
    for row, strip in enumerate(strips):
        top = row * (SIDE + BELOW)
        lines = [(line, large, "black") for line in wrap(strip.title, _LETTERS - 4)]
        lines += [(line, small, "dimgray") for line in wrap(strip.remark, _LETTERS)]
        start = top + (SIDE - _LINE * len(lines)) // 2
        for place, (line, font, colour) in enumerate(lines):
            draw.text((6, start + place * _LINE), line, colour, font=font)
        for column, (image, text) in enumerate(zip(strip.images, strip.texts, strict=True)):
            left = MARGIN + column * (SIDE + 2)
            page.paste(Image.fromarray(image), (left, top))
            draw.text((left + SIDE // 2, top + SIDE + BELOW // 2), text, "black", font=small, anchor="mm")
    return np.asarray(page)


def shrunk(image: np.ndarray) -> np.ndarray:
    """Return a square image at the size of a strip, averaged over areas."""
    return np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX))
