"""Types shared by the config sections."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
ScorerName = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63}|[^\n]+\.froq\.json)$")]
"""A scorer of the registry, a card or a plug-in, or the path of a calibration of FROQ."""


Interval = tuple[float, float]


Precision = Literal["float32", "bfloat16", "float16"]


class Section(BaseModel):
    """Base of every config section: rejects unknown keys, NaN and infinity; values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Rate = Annotated[float, Field(ge=0, le=1)]


Weight = Annotated[float, Field(ge=0)]
