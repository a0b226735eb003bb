"""How many candidates N identities take in the bundled face space, as measured, and which requests cannot end.

Measured on 3,600 rendered candidates (`generate.portrait_size` 128, all skin tones equally often) with the bundled
embedder; `docs/faces.md` has the table. Beyond some 2,500 identities the figures are extrapolated by
`synfiqa.jobs.generation.acceptance`.
"""

from dataclasses import dataclass

import numpy as np

from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.jobs.generation.acceptance import FIRST_GUESS, FaceSpace
from synfiqa.schemas.config.generate import FilterSection, GenerateSection
from synfiqa.schemas.config.models import ModelsSection
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import BUILT_IN

EMBEDDER = "6cc1c90f34d20a4360ed89ece46f5a4aef5857e04a4da27bd0ee597c11592fc6"
"""SHA-256 of the embedder with which the face space was measured; another one has another face space."""
PASSES = 0.70
"""Share of candidates that pass the default filter, duplicates among them."""
TOO_SIMILAR = {0.5: 9.0e-3, 0.55: 3.0e-3, 0.6: 9e-4, 0.65: 3.0e-4, 0.7: 6e-5}
"""Largest cosine -> odds, for each accepted identity, that a survivor of the filter is too similar to it."""
UNCERTAIN = 0.25
"""Relative error of a prediction that is allowed for before a request is refused."""

_FILTER = ("detector", "pose", "glasses", "expression")


@dataclass(frozen=True)
class Prediction:
    """Expected number of candidates for a run's identities; `least`: without what its own filter rejects."""

    space: FaceSpace
    candidates: int
    least: bool


def predicted(run: ResolvedRun) -> Prediction | None:
    """Return the number of candidates that the run will take, or None where its face space was not measured."""
    found = _measured(run)
    if found is None:
        return None
    odds, known_filter = found
    space = FaceSpace(PASSES if known_filter else 1.0, odds)
    return Prediction(space, round(space.candidates(0, run.config.generate.identities)), not known_filter)


def known_face_space(run: ResolvedRun) -> FaceSpace | None:
    """Return what planning may assume before any candidate is seen, or None where nothing was measured."""
    found = _measured(run)
    return found and FaceSpace(PASSES if found[1] else FIRST_GUESS, found[0])


def require_enough(run: ResolvedRun) -> None:
    """Raise UserError when the run cannot find its identities among as many candidates as it may make."""
    generate, expected = run.config.generate, predicted(run)
    limit = generate.candidate_limit
    if expected is None or expected.candidates * (1 - UNCERTAIN) <= limit:
        return
    raise UserError(
        f"{generate.identities} identities take {_about(expected)} in the bundled face space at filter.max_similarity "
        f"{run.config.filter.max_similarity:g}, more than the limit of {limit}: raise generate.max_candidates or "
        "filter.max_similarity, or ask for fewer identities"
    )


def candidates_line(run: ResolvedRun) -> str:
    """Return one sentence on the number of candidates that the run will take, and from what it is known."""
    generate, expected = run.config.generate, predicted(run)
    limit = generate.candidate_limit
    if expected is None:
        return (
            f"how many candidates {generate.identities} identities take is unknown for this generator, embedder and "
            f"filter; the limit is {limit}"
        )
    passing = "" if expected.least else f"{PASSES:.0%} pass the filter, and "
    doubt = "" if expected.candidates <= limit else ", which may not suffice"
    return (
        f"{generate.identities} identities take {_about(expected)} of at most {limit}{doubt}: in the bundled face "
        f"space {passing}a survivor is too similar to an accepted identity with odds of {expected.space.too_similar:.1e} "
        f"at filter.max_similarity {run.config.filter.max_similarity:g} (measured on rendered candidates)"
    )


def _about(expected: Prediction) -> str:
    if expected.least:
        return f"at least {expected.candidates} candidates (how many this filter rejects is unknown)"
    return f"about {expected.candidates} candidates"


def _measured(run: ResolvedRun) -> tuple[float, bool] | None:
    """Return the odds of a duplicate and whether the share that passes the filter is known; None if neither is."""
    models, rules = run.models, run.config.filter
    rendered = models.identity_generator.origin == BUILT_IN and models.identity_generator.name == "procedural"
    if not rendered or models.uniqueness.card.sha256 != EMBEDDER or rules.profile != "corrected":
        return None
    if run.config.generate.skin_tones != GenerateSection().skin_tones:
        return None
    limits = sorted(TOO_SIMILAR)
    if not limits[0] <= rules.max_similarity <= limits[-1]:
        return None
    # The odds fall like exponentials of the cosine.
    odds = np.exp(np.interp(rules.max_similarity, limits, np.log([TOO_SIMILAR[limit] for limit in limits])))
    usual = FilterSection(max_similarity=rules.max_similarity)
    chosen = run.config.models
    return float(odds), rules == usual and all(getattr(chosen, part) == getattr(_USUAL, part) for part in _FILTER)


_USUAL = ModelsSection()
