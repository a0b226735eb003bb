"""Architectures that score the quality of faces."""

from synfiqa.actors.model_store.architectures.architecture import Architecture, Contract

QUALITY = {
    "quality-net": Architecture(
        "quality",
        "synfiqa.actors.quality.trained.network_scorer:network_scorer",
        network="synfiqa.actors.nets.quality_net:QualityNet",
        contracts=(Contract("gray", "per-image", input_size=112),),
    ),
    "laplacian-variance": Architecture("quality", "synfiqa.actors.quality.measures.sharpness:Sharpness"),
    "detector-probability": Architecture(
        "quality", "synfiqa.actors.quality.measures.detector_probability:DetectorProbability"
    ),
    "random-order": Architecture("quality", "synfiqa.actors.quality.measures.random_order:RandomOrder"),
    "embedding-norm": Architecture("quality", "synfiqa.actors.quality.training_free.embedder_scorers:embedding_norm"),
    "mirror-cosine": Architecture("quality", "synfiqa.actors.quality.training_free.embedder_scorers:mirror_cosine"),
}
