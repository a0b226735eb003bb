"""Config section of the rendered people: what belongs to a person, and how much people differ."""

from typing import ClassVar

from pydantic import Field

from synfiqa.schemas.config.base import GrownSection, Rate


class PeopleSection(GrownSection):
    """Rendered people. What belongs to a person is worn in the candidate's portrait, in references and in samples.

    Defaults are the people of before. Each share is drawn from random numbers of its own, so it moves no other draw.
    `people: varied` in place of keys takes the ready-made values of `PRESETS`.
    """

    added: ClassVar[tuple[str, ...]] = (
        *("glasses", "cap", "headscarf", "beards", "shape", "texture"),
        *("relief", "lines", "freckles", "moles"),
    )

    glasses: Rate = Field(
        0.0,
        description="share of people who own clear glasses; they pass the filter's rule on glasses, and others "
        "wear none. 0: 12 % of the candidates wear glasses for the filter to reject",
    )
    cap: Rate = Field(0.0, description="share of people who own a peaked or knitted cap")
    headscarf: Rate = Field(0.0, description="share of women who wear a headscarf (hijab); they wear no cap")
    beards: Rate = Field(
        0.0, description="share of bearded men whose beard is a horseshoe, a chin strap, side whiskers or a long one"
    )
    shape: float = Field(1.0, ge=0.5, le=2, description="factor of the shape coefficients, clipped at 2.2 as before")
    texture: float = Field(
        1.0, ge=0.5, le=2, description="factor of the appearance coefficients, clipped at 2.2 as before"
    )
    relief: float = Field(
        0.0, ge=0, le=1, description="amount of smooth individual relief of the face beside the named coefficients"
    )
    lines: float = Field(
        0.0,
        ge=0,
        le=1,
        description="depth of single age lines on forehead, at eyes and mouth, growing from 25 years on",
    )
    freckles: Rate = Field(0.0, description="share of people of skin tones 1 to 6 with further freckles")
    moles: float = Field(0.0, ge=0, le=10, description="mean number of further moles on the face")


PRESETS: dict[str, PeopleSection] = {
    "varied": PeopleSection(
        glasses=0.3,
        cap=0.04,
        headscarf=0.08,
        beards=0.3,
        shape=1.25,
        texture=1.4,
        relief=1.0,
        lines=0.8,
        freckles=0.15,
        moles=1.5,
    )
}
"""Ready-made people: three in ten own glasses, strangers are less alike."""
