"""How many candidates N identities take in the bundled face space, as measured, and which requests cannot end.

Rendered candidates (`generate.portrait_size` 128, all skin tones equally often) were embedded by the bundled network
and decided in many orders; `docs/faces.md` has the table. Predictions of more identities than
were reached are extrapolations.
"""

from dataclasses import dataclass, replace

import numpy as np

from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.jobs.generation.acceptance import FIRST_GUESS, FaceSpace
from synfiqa.schemas.config.generate import FilterSection, GenerateSection
from synfiqa.schemas.config.models import ModelsSection
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import BUILT_IN

EMBEDDER = "6cc1c90f34d20a4360ed89ece46f5a4aef5857e04a4da27bd0ee597c11592fc6"
"""SHA-256 of the embedder with which the face space was measured; another one has another face space."""
CANDIDATES_MEASURED, REACH = 2880, 1200
"""Candidates that were rendered, and identities of them that were accepted at `filter.max_similarity` 0.6."""
PASSES = 0.72
"""Share of candidates that pass the default filter, duplicates among them."""


@dataclass(frozen=True)
class Measured:
    """The law of `synfiqa.jobs.generation.acceptance` at one largest cosine, fitted to the measured candidates.

    `too_similar` and `evenness` fit best; `lowest` fits with an evenness of 1, which predicts fewer candidates.
    """

    too_similar: float
    evenness: float
    lowest: float


MEASURED = {
    0.45: Measured(1.2e-2, 9.5, 3.5e-2),
    0.50: Measured(6.0e-3, 4.6, 1.2e-2),
    0.55: Measured(2.6e-3, 2.5, 3.6e-3),
    0.60: Measured(1.08e-3, 1.2, 1.13e-3),
    0.65: Measured(3.6e-4, 1.0, 3.4e-4),
    0.70: Measured(8.4e-5, 1.0, 8.0e-5),
}
"""`filter.max_similarity` -> what was measured; between two of them it is interpolated."""

UNCERTAIN = 0.25
"""Relative error that is allowed for before a request is refused."""
_FILTER = ("detector", "pose", "glasses", "expression")


@dataclass(frozen=True)
class Prediction:
    """Candidates that the identities of a run take: expected, and `at_least`, which a request may not exceed.

    `filtered`: whether what the filter rejects is in them, as it is for the default filter alone.
    """

    space: FaceSpace
    expected: int
    at_least: int
    filtered: bool


def predicted(run: ResolvedRun) -> Prediction | None:
    """Return the number of candidates that the run will take, or None where its face space was not measured."""
    if not _is_bundled(run):
        return None
    found, filtered = _measured_at(run.config.filter.max_similarity), _has_usual_filter(run)
    passes, wanted = PASSES if filtered else 1.0, run.config.generate.identities
    space = FaceSpace(passes, found.too_similar, found.evenness)
    expected = space.candidates(0, wanted)
    at_least = min(expected, FaceSpace(passes, found.lowest, 1.0).candidates(0, wanted))
    return Prediction(space, round(expected), round(at_least * (1 - UNCERTAIN)), filtered)


def known_face_space(run: ResolvedRun) -> FaceSpace | None:
    """Return what planning may assume before any candidate is seen, or None where nothing was measured."""
    found = predicted(run)
    if found is None or found.filtered:
        return found.space if found else None
    return replace(found.space, passes=FIRST_GUESS)


def require_enough(run: ResolvedRun) -> None:
    """Raise UserError when the run cannot find its identities among as many candidates as it may make."""
    generate, found = run.config.generate, predicted(run)
    if found is None or found.at_least <= generate.candidate_limit:
        return
    raise UserError(
        f"{generate.identities} identities take {found.at_least} candidates or more in the bundled face space at "
        f"filter.max_similarity {run.config.filter.max_similarity:g}, but the limit is {generate.candidate_limit}: "
        "raise generate.max_candidates or filter.max_similarity, or ask for fewer identities"
    )


def candidates_line(run: ResolvedRun) -> str:
    """Return one sentence on the number of candidates that the run will take, and from what it is known."""
    generate, found = run.config.generate, predicted(run)
    limit = generate.candidate_limit
    if found is None:
        return (
            f"how many candidates {generate.identities} identities take is unknown for this generator, embedder and "
            f"filter; the limit is {limit}"
        )
    rejected = f"{1 - PASSES:.0%} of them rejected by the filter" if found.filtered else "and those the filter rejects"
    doubt = "" if found.expected <= limit else ", which may not suffice"
    reach = "" if generate.identities <= REACH else f", extrapolated beyond {REACH} identities"
    return (
        f"{generate.identities} identities take about {found.expected} candidates, {rejected}; the limit is "
        f"{limit}{doubt} (measured on {CANDIDATES_MEASURED} rendered candidates{reach})"
    )


def _is_bundled(run: ResolvedRun) -> bool:
    """Return whether generator, embedder, duplicate rule and mixture of people are those that were measured."""
    generator, rules = run.models.identity_generator, run.config.filter
    return (
        (generator.origin, generator.name) == (BUILT_IN, "procedural")
        and run.models.uniqueness.card.sha256 == EMBEDDER
        and rules.profile == "corrected"
        and min(MEASURED) <= rules.max_similarity <= max(MEASURED)
        and run.config.generate.skin_tones == GenerateSection().skin_tones
    )


def _has_usual_filter(run: ResolvedRun) -> bool:
    usual, chosen = ModelsSection(), run.config.models
    same_models = all(getattr(chosen, part) == getattr(usual, part) for part in _FILTER)
    return same_models and run.config.filter == FilterSection(max_similarity=run.config.filter.max_similarity)


def _measured_at(limit: float) -> Measured:
    """Return the law at any cosine between the measured ones: its numbers change like exponentials of the cosine."""
    limits = sorted(MEASURED)

    def between(name: str) -> float:
        logarithms = np.log([getattr(MEASURED[one], name) for one in limits])
        return float(np.exp(np.interp(limit, limits, logarithms)))

    return Measured(between("too_similar"), between("evenness"), between("lowest"))
