"""Detects sets whose images were written with red and blue exchanged."""

import numpy as np

from synfiqa.schemas.errors import UserError

COLOURED = 20
"""Coloured faces below which nothing is concluded."""
BLUE = 0.8
"""Share of faces that are bluer than red from which channels count as exchanged: skin of any tone is redder."""
_LEVELS = 4.0
_CENTRE = slice(28, 84)


class ChannelOrder:
    """Counts coloured faces, and those that are more blue than red at their centre."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._coloured = self._blue = 0

    def look(self, faces: np.ndarray) -> None:
        """Count uint8 RGB faces (N, 112, 112, 3); grey ones are left out."""
        centre = faces[:, _CENTRE, _CENTRE].mean(axis=(1, 2))
        redder = centre[:, 0] - centre[:, 2]
        self._coloured += int(np.count_nonzero(np.abs(redder) >= _LEVELS))
        self._blue += int(np.count_nonzero(redder <= -_LEVELS))

    def require_rgb(self) -> None:
        """Raise UserError when the faces are blue."""
        if self._coloured >= COLOURED and self._blue >= BLUE * self._coloured:
            raise UserError(
                f"--on {self._name}: {self._blue} of {self._coloured} faces are more blue than red, so that red and "
                "blue seem exchanged in the files; write the images again as RGB"
            )
