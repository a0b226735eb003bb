"""Architectures that score the quality of faces."""

from synfiqa.actors.model_store.architectures.architecture import NO_RULES, WRAPPED, Architecture, Contract
from synfiqa.schemas.model_card import StateRules

RGB = Contract("rgb", "range", (-1.0, 1.0), 112)


PUBLISHED_DSL = StateRules(
    unwrap=WRAPPED["unwrap"],
    strip=WRAPPED["strip"],
    rename=(
        (r"^vit\.", "backbone.vit."),
        (r"^embed_mlp\.", "landmark_branch.embed_mlp."),
        (r"^(E|mlp)\.", r"encoder.\1."),
    ),
    allow_unexpected=(
        *("backbone.vit.blocks.10.*", "backbone.vit.blocks.11.*", "backbone.vit.norm.*", "backbone.vit.head.*"),
        *("swintransformer*.downsample.*", "*.attn_mask", "*.relative_position_index", "*.task_query", "testmlp.*"),
    ),
)
"""Rules for `IQA.pt` and `DE.pt` of DSL-FIQA in one file; what is left out enters no published score."""


def _network(reference: str, contract: Contract = RGB, rules: StateRules = NO_RULES) -> Architecture:
    """Return the architecture of a network that is trained on labels of quality, or on recognition."""
    player = "synfiqa.actors.quality.trained.network_scorer:network_scorer"
    return Architecture("quality", player, network=reference, contracts=(contract,), rules=rules)


NETWORKS = {
    "quality-net": _network(
        "synfiqa.actors.nets.quality_net:QualityNet", Contract("gray", "per-image", input_size=112)
    ),
    "fiqa-iresnet": _network("synfiqa.actors.nets.fiqa.iresnet:FiqaIResNet", rules=StateRules(**WRAPPED)),
    # A published transformer keeps the token that stood in for masked ones in training.
    "fiqa-vit": _network(
        "synfiqa.actors.nets.fiqa.vit:FiqaViT", rules=StateRules(**WRAPPED, allow_unexpected=("mask_token",))
    ),
    "fiqa-mobilefacenet": _network("synfiqa.actors.nets.fiqa.mobilefacenet:MobileFaceNet"),
    "fiqa-compact": _network("synfiqa.actors.nets.fiqa.compact:CompactNet"),
    "dsl-fiqa": Architecture(
        "quality",
        "synfiqa.actors.quality.trained.portraits.portrait_model:portrait_model",
        network="synfiqa.actors.nets.fiqa.dsl.dsl_network:DslNetwork",
        player_arguments=("portrait_side", "crops"),
        rules=PUBLISHED_DSL,
        contracts=(Contract("rgb", "range", (-1.0, 1.0)),),
    ),
}
"""Quality networks, whose weights files may hold their card."""

QUALITY = NETWORKS | {
    "laplacian-variance": Architecture("quality", "synfiqa.actors.quality.measures.sharpness:Sharpness"),
    "detector-probability": Architecture(
        "quality", "synfiqa.actors.quality.measures.detector_probability:DetectorProbability"
    ),
    "random-order": Architecture("quality", "synfiqa.actors.quality.measures.random_order:RandomOrder"),
    "embedding-norm": Architecture("quality", "synfiqa.actors.quality.training_free.embedder_scorers:embedding_norm"),
    "mirror-cosine": Architecture("quality", "synfiqa.actors.quality.training_free.embedder_scorers:mirror_cosine"),
    "froq": Architecture(
        "quality",
        "synfiqa.actors.quality.training_free.froq.froq_scorer:froq_scorer",
        contracts=(Contract("rgb", "range", (0.0, 255.0), 112),),
    ),
    "iso-measure": Architecture("quality", "synfiqa.actors.quality.training_free.iso.iso_measure:IsoMeasure"),
    **{
        name: Architecture("quality", "synfiqa.actors.quality.training_free.by_recogniser:by_recogniser")
        for name in ("perturbation", "ser-fiq", "grafiqs", "vitnt", "attn")
    },
}
