"""The table of docs/scorers.md, made from the registry of scorers and the cards of configs/models/quality/.

`python -m tests.documented.scorers_table --write` writes it; without the option it prints whether it is stale.
"""

from pathlib import Path

import yaml

from synfiqa.actors.model_store.catalogue import bundled
from synfiqa.actors.quality.registry import SCORERS
from synfiqa.schemas.model_card import BUILT_IN, ModelCard
from tests.documented.page_tables import table, with_table, write_or_compare

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "scorers.md"
FOLDER = ROOT / "configs" / "models" / "quality"
HEADS = ("scorer", "reads", "weights", "licence", "GFLOP a face", "bring")
READS = {
    "laplacian-variance": "pixels",
    "random-order": "nothing",
    "detector-probability": "detector",
    "iso-measure": "pixels in an ellipse",
    "embedding-norm": "embedder",
    "mirror-cosine": "embedder, twice",
    "perturbation": "embedder, 76 times",
    "ser-fiq": "embedder and its last layer",
    "grafiqs": "embedder and its gradients",
    "froq": "layers of `bundled-a`",
    "vitnt": "tokens of a transformer as embedder",
    "attn": "last block of a transformer as embedder",
    "quality-net": "the face",
    "fiqa-compact": "the face",
    "dsl-fiqa": "portraits",
}
"""Architecture of a scorer by name -> what it reads."""
SUPPLIED = {"model": "the face", "label": "the labels of the run"}
"""Scorers of a run alone -> what they read."""


def rows() -> list[tuple[str, ...]]:
    """Return a row for each scorer: those of the registry in its order, then the published ones by file."""
    return [_registered(name) for name in SCORERS] + [
        _published(ModelCard(**{"name": name, **fields, "sha256": "0" * 64}), path.stem)
        for path in sorted(FOLDER.glob("*.yaml"))
        for name, fields in yaml.safe_load(path.read_text(encoding="utf-8"))["models"].items()
    ]


def _registered(name: str) -> tuple[str, ...]:
    if name in SUPPLIED:
        return f"`{name}`", SUPPLIED[name], "of the run", "of the run", "", SCORERS[name].supplied_by
    card = bundled()[name].card
    by_embedder = "embedder" in card.arguments
    code = card.source == BUILT_IN
    weights = "the embedder's" if by_embedder else "none" if code else "bundled"
    bring = f"`models.embedder`, {SCORERS[name].needs or 'any network'}" if by_embedder else "nothing"
    return f"`{name}`", READS[card.architecture], weights, card.licence, _cost(card), bring


def _published(card: ModelCard, file: str) -> tuple[str, ...]:
    face = f"{card.channels.upper()}, {card.input_size} px"
    link = f"[{file}.yaml](../configs/models/quality/{file}.yaml)"
    return f"`{card.name}`", face, f"`{card.source}`", card.licence, _cost(card), link


def _cost(card: ModelCard) -> str:
    return "" if card.cost_gflop is None else f"{card.cost_gflop:.3g}"


def written(page: str) -> str:
    """Return the page with its table made anew; ValueError when it lacks the place."""
    return with_table(page, "scorers", table(HEADS, rows()), PAGE)


if __name__ == "__main__":
    about = "Make the table of docs/scorers.md from registry and cards."
    write_or_compare(PAGE, written, about, "tests.documented.scorers_table")
