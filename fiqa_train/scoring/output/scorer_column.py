"""A scorer as the file of scores names it: digest of its weights, percentile and 0..100 value of its scores."""

from dataclasses import dataclass

from synfiqa.schemas.model_card import ScoreScale


@dataclass(frozen=True)
class ScorerColumn:
    """A scorer in a file of scores: its name, the digest of its weights, and the scale on its card, if it has one."""

    name: str
    digest: str
    scale: ScoreScale | None = None

    def values(self, score: float | None) -> tuple[float | None, float | None, float | None]:
        """Return score, percentile and 0..100 value, rounded as they are written; None where there is none."""
        if score is None:
            return None, None, None
        if self.scale is None:
            return round(score, 6), None, None
        return round(score, 6), round(self.scale.percentile(score), 2), round(self.scale.scalar(score), 2)
