"""Architectures that score the quality of faces."""

from dataclasses import replace

from synfiqa.actors.model_store.architectures.architecture import NO_RULES, WRAPPED, Architecture, Contract
from synfiqa.actors.model_store.architectures.image_text import IMAGE_TEXT
from synfiqa.actors.model_store.architectures.recognition import RECOGNITION
from synfiqa.schemas.model_card import StateRules

RGB = Contract("rgb", "range", (-1.0, 1.0), 112)
NORM = "synfiqa.actors.quality.trained.published_norm:PublishedNorm"

LIGHTQNET = StateRules(
    rename=(
        (r"^UncertaintyModule/(MobilenetV3/)?", ""),
        ("^Conv/", "stem/"),
        ("^Conv_1/", "last/"),
        ("^Bottleneck/biases$", "score/bias"),
        ("^Bottleneck/weights$", "score/weight"),
        ("^expanded_conv/", "blocks/0/"),
        (r"^expanded_conv_(\d+)/", r"blocks/\1/"),
        ("/(depthwise_)?weights$", "/conv/weight"),
        ("/BatchNorm/gamma$", "/norm/weight"),
        ("/BatchNorm/beta$", "/norm/bias"),
        ("/BatchNorm/moving_mean$", "/norm/running_mean"),
        ("/BatchNorm/moving_variance$", "/norm/running_var"),
        ("/", "."),
    ),
    allow_missing=("*.num_batches_tracked",),
)
"""Names in the frozen graphs of LightQNet."""


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
    # The weights of fiqa-vit, read at every block.
    "ex-fiqa": _network(
        "synfiqa.actors.nets.fiqa.exit_vit:ExitViT", rules=StateRules(**WRAPPED, allow_unexpected=("mask_token",))
    ),
    "ediffiqa": _network("synfiqa.actors.nets.fiqa.ediffiqa:EDifFiqa", rules=StateRules(**WRAPPED)),
    "sdd-fiqa": _network("synfiqa.actors.nets.fiqa.sdd_fiqa:SddFiqa", rules=StateRules(**WRAPPED)),
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

PUBLISHED = {
    "lightqnet": Architecture(
        "quality",
        "synfiqa.actors.quality.trained.network_scorer:network_scorer",
        network="synfiqa.actors.nets.fiqa.lightqnet:LightQNet",
        # At 1 the sigmoid is saturated, at 0.5 the input is forgotten.
        gain=0.8,
        rules=LIGHTQNET,
        # The published demo passes on what OpenCV reads, which is BGR; the authors' training reads RGB.
        contracts=tuple(Contract(channels, "range", (-1.0, 127 / 128), 96) for channels in ("bgr", "rgb")),
        reader="synfiqa.actors.quality.trained.frozen_graph:read_frozen_graph",
    ),
    "onnx-quality": Architecture("quality", "synfiqa.actors.quality.trained.onnx_network:OnnxNetwork"),
    "factor-prompts": Architecture(
        "quality",
        "synfiqa.actors.quality.trained.factor_prompts:FactorPrompts",
        rehearsal="synfiqa.actors.quality.trained.factor_prompts:write_random",
        contracts=IMAGE_TEXT["open-clip"].contracts,
    ),
    **{
        name: replace(RECOGNITION[network], role="quality", player=NORM)
        for name, network in (("magface-norm", "insightface-iresnet"), ("adaface-norm", "adaface-ir"))
    },
}
"""Published scorers in formats of their own, and norms of published recognition networks."""

QUALITY = (
    NETWORKS
    | PUBLISHED
    | {
        "laplacian-variance": Architecture("quality", "synfiqa.actors.quality.measures.sharpness:Sharpness"),
        "detector-probability": Architecture(
            "quality", "synfiqa.actors.quality.measures.detector_probability:DetectorProbability"
        ),
        "random-order": Architecture("quality", "synfiqa.actors.quality.measures.random_order:RandomOrder"),
        "embedding-norm": Architecture(
            "quality", "synfiqa.actors.quality.training_free.embedder_scorers:embedding_norm"
        ),
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
)
