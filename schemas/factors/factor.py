"""Row of the table of degradation factors: one `Factor` states all that its readers need."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from synfiqa.schemas.recipe import Recipe, column_of, value_at, with_value

Where = Literal["render", "aligner", "crop", "file", "camera"]
Values = np.ndarray
_NO_NUMBERS: Mapping[str, float] = MappingProxyType({})


def unchanged(values: Values) -> Values:
    """Return the values."""
    return values


@dataclass(frozen=True)
class Severity:
    """A number from 0 up that grows with the harm: `of` computes it from columns of samples, float32 (N,) each.

    A column with the name of a codec comes as its number in `CODECS` (`synfiqa.schemas.factors.codec_strength`).
    `ofiq` are the components of `ofiq_components` that should fall with it.
    """

    name: str
    columns: tuple[str, ...]
    of: Callable[..., Values] = unchanged
    ofiq: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fault:
    """How degraded samples draw a factor that most of them do not have.

    `rate` and `interval` are keys of `generate.degraded_distribution`; `limits` bound the interval; `stream` names the
    factor's own random numbers. Strengths are log-uniform; `draw` changes that: "signed" gives each a random sign,
    "whole" rounds down, "exposure" is dark or bright by halves and adds noise to dark images.
    """

    rate: str
    interval: str
    limits: tuple[float, float]
    stream: str
    draw: Literal["plain", "signed", "whole", "exposure"] = "plain"


@dataclass(frozen=True)
class Signs:
    """Random choices of one identity, equal at all levels of its ladders: signs and two expression units."""

    side: int = 1
    nod: int = 1
    from_side: int = 1
    turn: int = 1
    units: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ladder:
    """Levels of one factor from mild to severe, all other factors clean.

    A level is the value of the row's field, times the sign of `Signs` that `sign` names; `put` sets it in another way.
    With `crop` it is no part of a recipe but the strength of this operator on the aligned crop. `place` orders the
    ladders of a use.
    """

    name: str
    levels: tuple[float, ...]
    place: int
    sign: Literal["", "side", "nod", "turn"] = ""
    put: Callable[[Recipe, float, Signs], Recipe] | None = None
    crop: str = ""


@dataclass(frozen=True)
class Caption:
    """Words of one subject of captions by class.

    Numbers have the class of the first of `steps` (class, limit) that they lie below, else `beyond`; other values are
    their own class.
    """

    subject: str
    words: Mapping[str, tuple[str, ...]]
    steps: tuple[tuple[str, float], ...] = ()
    beyond: str = ""

    def classify(self, value: float | str) -> str:
        """Return the class of a value."""
        if isinstance(value, str):
            return value
        return next((name for name, limit in self.steps if value < limit), self.beyond)


@dataclass(frozen=True)
class Shown:
    """How a report shows a factor: label of the axis, remark on a picture (a format), and when the remark is made."""

    axis: str
    remark: str = ""
    visible: Callable[[float], bool] = bool


@dataclass(frozen=True)
class Factor:
    """One degradation factor.

    `field` is its path in a recipe, of one value or of a part such as `expression`; `neutral` the value without effect,
    `range` the least and most, `where` the step that applies it; `measured` the column that holds it as measured on the
    image; `learnable` the least and most absolute value that the bundled embedders are trained on; `thresholds` further
    limits by use; `iso` the quality component of ISO/IEC 29794-5 that it lowers, `ofiq` components of `ofiq_components`
    that it lowers and no severity names.
    """

    field: str
    title: str
    unit: str
    neutral: float | str
    range: tuple[float, float] | None
    where: Where
    measured: str = ""
    severities: tuple[Severity, ...] = ()
    fault: Fault | None = None
    ladders: tuple[Ladder, ...] = ()
    bundled: tuple[Ladder, ...] = ()
    learnable: tuple[float, float] | None = None
    caption: Caption | None = None
    shown: Shown | None = None
    iso: str = ""
    ofiq: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = _NO_NUMBERS

    @property
    def column(self) -> str:
        """The column of samples with the value that counts: the measured one where there is one."""
        return self.measured or column_of(self.field)

    @property
    def components(self) -> tuple[str, ...]:
        """The components of OFIQ that the factor lowers, each once."""
        return tuple(dict.fromkeys((*self.ofiq, *(name for severity in self.severities for name in severity.ofiq))))

    def value(self, recipe: Recipe) -> Any:
        """Return the factor's value in a recipe."""
        return value_at(recipe, self.field)

    def at_level(self, base: Recipe, ladder: Ladder, level: float, signs: Signs) -> Recipe:
        """Return the base recipe at a level of one of the row's ladders."""
        if ladder.crop:
            return base
        if ladder.put:
            return ladder.put(base, level, signs)
        signed = level * getattr(signs, ladder.sign) if ladder.sign else level
        return with_value(base, self.field, signed)
