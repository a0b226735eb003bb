"""Templates, prompts and rejection rates of diffusion samples."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from synfiqa.actors.stages.annotator import FEW_REFERENCES, MIN_REFERENCES
from synfiqa.schemas.config.generate import DiffusionSection
from synfiqa.schemas.config.run import RunConfig

PROMPT_LIMIT = 12
"""Most prompts that are printed; all others share one more row."""


@dataclass(frozen=True)
class PromptUse:
    """A sentence about templates, rows of text (prompt, samples, mean label), and rows (reason, rule, samples)."""

    summary: str
    prompts: list[tuple[str, str, str]]
    rejected: list[tuple[str, str, str]]


def prompt_use(config: RunConfig, degraded: pd.DataFrame, rejected: Mapping[str, int]) -> PromptUse | None:
    """Return the prompts of degraded samples (columns `template`, `prompt`, `quality`); None for rendered ones."""
    if config.models.conditional_kind.commands_recipe or (degraded.empty and not rejected):
        return None
    rules = _rules(config.diffusion)
    return PromptUse(
        summary=f"{len(degraded):,} degraded samples under {degraded['template'].nunique():,} different templates, "
        f"with {degraded['prompt'].nunique():,} different prompts.",
        prompts=_prompts(degraded),
        rejected=[(reason, rules.get(reason, ""), f"{count:,}") for reason, count in rejected.items()],
    )


def _prompts(degraded: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return the most frequent prompts first, equally frequent ones in alphabetical order."""
    quality = {str(prompt): rows["quality"].astype(float) for prompt, rows in degraded.groupby("prompt")}
    ranked = sorted(quality, key=lambda prompt: (-len(quality[prompt]), prompt))
    shown = ranked if len(ranked) <= PROMPT_LIMIT + 1 else ranked[:PROMPT_LIMIT]
    rows = [_row(prompt, quality[prompt]) for prompt in shown]
    others = ranked[len(shown) :]
    return [*rows, _row(f"{len(others):,} others", pd.concat([quality[other] for other in others]))] if others else rows


def _row(name: str, quality: pd.Series) -> tuple[str, str, str]:
    known = quality.dropna()
    return name, f"{len(quality):,}", f"{known.mean():.2f}" if len(known) else ""


def _rules(settings: DiffusionSection) -> dict[str, str]:
    return {
        "no_face": "no face was found",
        "other_person": f"cosine to the identity below {settings.min_identity:g}".replace("-", "−"),
        FEW_REFERENCES: f"fewer than {MIN_REFERENCES} references of the identity are left",
        "not_finite": "numbers of the picture, or of the identity's portrait, are not finite",
    }
