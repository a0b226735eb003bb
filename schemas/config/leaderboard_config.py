"""Config of `synfiqa leaderboard`: what is compared on one page."""

from pydantic import Field

from synfiqa.schemas.config.base import Name, Section
from synfiqa.schemas.config.learn import EvaluateSection


class LeaderboardConfig(Section):
    """Scorers, judges and rates as `synfiqa evaluate` takes them, models of the run, and test sets beside it."""

    evaluate: EvaluateSection = EvaluateSection()
    models: tuple[Name, ...] = Field(
        (), description="trained models of the run, each a row; empty: all that are finished, by name"
    )
    sets: dict[Name, str] = Field({}, description="test sets by name: paths or URLs, as --on NAME=PATH")
    costs: bool = Field(False, description="whether the speed of every scorer is measured on this machine")
    published: bool = Field(True, description="whether published rows stand beside those of the run")
