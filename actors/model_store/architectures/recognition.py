"""Architectures of face recognition: embedders."""

from synfiqa.actors.model_store.architectures.architecture import WRAPPED, Architecture, Contract
from synfiqa.schemas.model_card import StateRules

RECOGNITION = {
    "small-iresnet": Architecture(
        "embedder",
        "synfiqa.actors.recognition.network_embedder:NetworkEmbedder",
        network="synfiqa.actors.nets.small_iresnet:SmallIResNet",
        contracts=(Contract("gray", "per-image", input_size=112), Contract("rgb", "range", (-1.0, 1.0), 112)),
    ),
    "adaface-ir": Architecture(
        "embedder",
        "synfiqa.actors.recognition.network_embedder:NetworkEmbedder",
        network="synfiqa.actors.nets.adaface:AdaFaceIR",
        rules=StateRules(**WRAPPED, allow_unexpected=("head.*",)),
        contracts=(Contract("bgr", "range", (-1.0, 1.0), 112),),
    ),
    "insightface-iresnet": Architecture(
        "embedder",
        "synfiqa.actors.recognition.network_embedder:NetworkEmbedder",
        network="synfiqa.actors.nets.insightface:IResNet",
        rules=StateRules(**WRAPPED, allow_unexpected=("qs.*",)),
        contracts=(
            Contract("rgb", "range", (-1.0, 1.0), 112),
            Contract("bgr", "range", (-1.0, 1.0), 112),
            Contract("bgr", "range", (0.0, 1.0), 112),
        ),
    ),
    "facenet": Architecture(
        "embedder",
        "synfiqa.actors.recognition.network_embedder:NetworkEmbedder",
        network="synfiqa.actors.nets.facenet:facenet",
        gain=1.0,
        rules=StateRules(**WRAPPED, allow_unexpected=("logits.*",)),
        contracts=(
            Contract("rgb", "range", (-127.5 / 128, 127.5 / 128), 160),
            Contract("rgb", "range", (0.0, 1.0), 160),
        ),
    ),
    "vit-recogniser": Architecture(
        "embedder",
        "synfiqa.actors.recognition.network_embedder:NetworkEmbedder",
        network="synfiqa.actors.nets.fiqa.vit_recogniser:VitRecogniser",
        rules=StateRules(**WRAPPED, allow_unexpected=("mask_token",)),
        contracts=(Contract("rgb", "range", (-1.0, 1.0), 112),),
    ),
    "dlib-resnet": Architecture(
        "embedder",
        "synfiqa.actors.recognition.dlib_embedder:DlibEmbedder",
        # The library prepares its input itself, so that a card can only agree.
        contracts=(Contract("rgb", "range", (0.0, 255.0), 150),),
        extra="dlib",
        modules=("dlib", "face_recognition_models"),
    ),
}
