"""The methods of a test set under every judge."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from synfiqa.fiqa_train.evaluation.compare import Protocol, judged
from synfiqa.fiqa_train.evaluation.on_test_sets.set_pairs import SetPairs
from synfiqa.fiqa_train.evaluation.on_test_sets.set_scores import SetScores
from synfiqa.fiqa_train.evaluation.pairs import pair_similarity
from synfiqa.schemas.evaluation import NetworkComparison


def set_results(
    judges: Iterable[str],
    labelling: str,
    units: SetScores,
    pairs: SetPairs,
    protocol: Protocol,
    versus: Sequence[tuple[str, str]],
) -> list[NetworkComparison]:
    """Return the results by each judge, intervals of those alone that did not label and where the pairs allow them."""
    protocol = protocol if pairs.intervals else replace(protocol, resamples=0)
    found: list[NetworkComparison] = []
    for judge in judges:
        vectors = units.vectors[judge]
        similarity, own = pair_similarity(vectors, pairs.table), pairs.recognition(vectors)
        table, people = pairs.table, pairs.identity
        found += judged(judge, labelling, units.quality, similarity, table, people, protocol, versus, own)
    return found
