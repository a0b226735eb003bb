"""Types shared by the config sections."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
)

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
ScorerName = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63}|[^\n]+\.froq\.json)$")]
"""A scorer of the registry, a card or a plug-in, or the path of a calibration of FROQ."""


Interval = tuple[float, float]


Precision = Literal["float32", "bfloat16", "float16"]


class Section(BaseModel):
    """Base of every config section: rejects unknown keys, NaN and infinity; values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class GrownSection(Section):
    """Section that has grown: keys that were `added` later are left out where they have their defaults.

    So fingerprints of runs from before they existed stay as they are.
    """

    added: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _without_unused(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        for key in self.added:
            if getattr(self, key) == type(self).model_fields[key].default:
                fields.pop(key, None)
        return fields


def within(interval: Interval, least: float, most: float) -> Interval:
    """Return an interval that rises between two limits; ValueError for another."""
    low, high = interval
    if not least <= low <= high <= most:
        raise ValueError(f"it must satisfy {least:g} <= low <= high <= {most:g}")
    return interval


Rate = Annotated[float, Field(ge=0, le=1)]


Weight = Annotated[float, Field(ge=0)]
