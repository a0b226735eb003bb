"""Prompts of the generator: one fixed text for references, scenes for degraded samples, and a negative text."""

from typing import Literal

from pydantic import Field

from synfiqa.actors.image_text.captions import REFERENCE_CAPTION
from synfiqa.schemas.model_card import CardPart
from synfiqa.schemas.seeds import generator

Profile = Literal["faithful", "corrected"]

_FREQUENT_SCENES = (
    *("in an attic", "in a backyard", "in a barn", "in a basement", "in a bathroom", "on a beach", "in a bedroom"),
    *(
        "in a boardroom",
        "in a cellar",
        "in a club",
        "at a concert",
        "in a corner",
        "in a cottage",
        "in the countryside",
        "in a desert",
    ),
    *("in a forest", "in a garden", "in a hallway", "in a kitchen", "in a park", "in a cave"),
)
_SCENES = (
    *("in an alley", "in a cafe", "in a car", "in a city", "in a classroom", "in a crowd"),
    *("at a dance", "in the dark", "in a darkroom", "in a diner", "in a dojo", "in a driveway", "in a dungeon"),
    *("in an elevator", "in an embassy", "on a farm", "in a field", "in fog", "by a fountain", "in a garage"),
    *("in a gym", "in a hospital", "in a hotel", "in a house", "at an inn", "in jail", "in a jungle"),
    *("in a library", "in a meadow", "in front of a mirror", "in mist", "in moonlight", "in the mountains"),
    *("by the ocean", "in an office", "doing parkour", "in the rain", "in shadows", "in snow", "in a spotlight"),
    *("on a street", "at sunrise", "at sunset", "on a train"),
)
OCCLUSIONS = ("wearing glasses", "wearing sunglasses", "with a mask over mouth and nose")
SUFFIXES = ("", *_SCENES, *_FREQUENT_SCENES, *_FREQUENT_SCENES, *OCCLUSIONS)
"""Ninety entries, 69 of them distinct: an empty one, 65 scenes of which 21 count twice, and three occlusions."""
NEGATIVE = (
    "misshapen iris, misshapen pupils, half-realistic, computer graphics, 3d model, rendering, pencil sketch, cartoon, "
    "drawing, anime"
)
"""Negative prompt of guidance: malformed eyes and styles other than photographs, without terms of image quality."""


class PromptBook(CardPart):
    """All prompts of a run; the defaults paraphrase the published ones."""

    reference: str = Field(REFERENCE_CAPTION, min_length=1, description="of references; also what v_l measures")
    stem: str = Field("a photo of the face of a person", min_length=1, description="of degraded samples")
    suffixes: tuple[str, ...] = Field(SUFFIXES, min_length=1, description="one is drawn; repeated entries weigh more")
    negative: str = Field(NEGATIVE, description="what guidance leads away from")

    def degraded(self, seed: int) -> str:
        """Return the stem with a suffix drawn by the seed."""
        return self._with(self.suffixes[int(generator(seed).integers(len(self.suffixes)))])

    def prompt(
        self, kind: Literal["reference", "degraded"], index: int, seed: int, profile: Profile, released: int = 90
    ) -> str:
        """Return the prompt of one sample of an identity.

        The released list held a reference prompt for each of 100 degraded samples instead of 10 references, so that
        the first 90 degraded samples had reference prompts: the faithful profile does so for the first `released`.
        """
        if kind == "reference" or (profile == "faithful" and index < released):
            return self.reference
        return self.degraded(seed)

    def all_prompts(self) -> list[str]:
        """Return every distinct text that can reach the text encoder."""
        return list(dict.fromkeys([self.reference, self.negative, *(self._with(one) for one in self.suffixes)]))

    def _with(self, suffix: str) -> str:
        return f"{self.stem} {suffix}".strip()
