"""Every architecture that a card may name: its role, the code that plays it, and what its publisher fixed."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from synfiqa.schemas.model_card import Channels, Normalise, Role, StateRules

REHEARSAL_VERSION = 1
"""Raised by every change after which random weights of the same settings differ: caches on nodes outlive the code."""

NO_RULES = StateRules()
"""Keys must match exactly."""


@dataclass(frozen=True)
class Contract:
    """An input that the published networks of an architecture were trained with; None leaves the field to the card."""

    channels: Channels | None = None
    normalise: Normalise | None = None
    value_range: tuple[float, float] | None = None
    input_size: int | None = None
    resize: Literal["bilinear", "bicubic"] | None = None


@dataclass(frozen=True)
class Architecture:
    """Where the code of an architecture is. `module:name` strings keep heavy imports out of the driver.

    `player(card, path, running)` makes the object of the role. `network(**arguments)` makes the torch module whose
    state dict the checkpoint fills; empty where a library loads whole folders itself. `rehearsal(card, folder,
    seed)` writes random weights for architectures without `network`. `player_arguments` are the arguments of a card
    that the player reads; the network receives all others. `gain` scales random weights against He initialisation:
    small where residual sums would leave half precision, near 1 where plain layers would forget their input.
    `contracts` are the inputs that are known to be right. `fits(card)` raises UserError for a card whose settings the
    player would refuse; it reads no weights. `edition` is raised instead of REHEARSAL_VERSION where cached random
    weights must be made again although fingerprints stay: it enters the name of the cache folder alone. `frozen()`
    returns the text, kept in a file, that random weights are made with.
    """

    role: Role
    player: str
    network: str = ""
    rehearsal: str = ""
    player_arguments: tuple[str, ...] = ()
    gain: float = 0.5
    rules: StateRules = NO_RULES
    contracts: tuple[Contract, ...] = ()
    fits: str = ""
    edition: int = 1
    frozen: str = ""


def load(reference: str) -> Any:
    """Return the object that a `module:name` string names."""
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)


_WRAPPED = {"unwrap": ("model_state_dict", "state_dict", "model"), "strip": ("module.", "model.")}

ARCHITECTURES: dict[str, Architecture] = {
    # detectors
    "mtcnn": Architecture(
        "detector",
        "synfiqa.actors.face_analysis.mtcnn:mtcnn",
        player_arguments=("select", "micro_batch"),
        # The library prepares its input itself, so that a card can only agree.
        contracts=(Contract("rgb", "range", (-127.5 / 128, 127.5 / 128)),),
    ),
    "retinaface-r50": Architecture(
        "detector",
        "synfiqa.actors.face_analysis.retinaface:RetinaFaceDetector",
        player_arguments=("select", "min_confidence", "nms", "decimals", "coordinates"),
        network="synfiqa.actors.nets.retinaface_r50:RetinaFaceR50",
        rules=StateRules(**_WRAPPED),
        contracts=(Contract("rgb", "imagenet"),),
    ),
    # head pose
    "landmark-pose": Architecture("pose", "synfiqa.actors.face_analysis.landmark_pose:LandmarkPose"),
    "6drepnet360": Architecture(
        "pose",
        "synfiqa.actors.face_analysis.rotation_pose:RotationNetPose",
        network="synfiqa.actors.nets.sixdrepnet:SixDRepNet360",
        player_arguments=("angles",),
        rules=StateRules(**_WRAPPED),
        contracts=(Contract("rgb", "imagenet", input_size=224),),
    ),
    # glasses and expression
    "line-glasses": Architecture("glasses", "synfiqa.actors.face_analysis.line_glasses:LineGlasses"),
    "scharr-glasses": Architecture("glasses", "synfiqa.actors.face_analysis.edge_glasses:EdgeGlasses"),
    "onnx-glasses": Architecture("glasses", "synfiqa.actors.face_analysis.onnx_classifier:OnnxGlasses"),
    "commanded-expression": Architecture(
        "expression", "synfiqa.actors.face_analysis.commanded_expression:CommandedExpression"
    ),
    "onnx-expression": Architecture("expression", "synfiqa.actors.face_analysis.onnx_classifier:OnnxExpression"),
    # recognition
    "small-iresnet": Architecture(
        "embedder",
        "synfiqa.actors.recognition.network_embedder:NetworkEmbedder",
        network="synfiqa.actors.nets.small_iresnet:SmallIResNet",
        contracts=(Contract("gray", "per-image", input_size=112),),
    ),
    "adaface-ir": Architecture(
        "embedder",
        "synfiqa.actors.recognition.network_embedder:NetworkEmbedder",
        network="synfiqa.actors.nets.adaface:AdaFaceIR",
        rules=StateRules(**_WRAPPED, allow_unexpected=("head.*",)),
        contracts=(Contract("bgr", "range", (-1.0, 1.0), 112),),
    ),
    "insightface-iresnet": Architecture(
        "embedder",
        "synfiqa.actors.recognition.network_embedder:NetworkEmbedder",
        network="synfiqa.actors.nets.insightface:IResNet",
        rules=StateRules(**_WRAPPED, allow_unexpected=("qs.*",)),
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
        rules=StateRules(**_WRAPPED, allow_unexpected=("logits.*",)),
        contracts=(
            Contract("rgb", "range", (-127.5 / 128, 127.5 / 128), 160),
            Contract("rgb", "range", (0.0, 1.0), 160),
        ),
    ),
    # vision-language
    "small-clip": Architecture(
        "image_text",
        "synfiqa.actors.image_text.small_clip:SmallClip",
        network="synfiqa.actors.image_text.small_clip:small_clip_of",
        contracts=(Contract("rgb", "clip"),),
    ),
    "blip-itc": Architecture(
        "image_text",
        "synfiqa.actors.image_text.blip:BlipImageText",
        rehearsal="synfiqa.actors.image_text.blip:write_random",
        # Caches of the first edition may hold the words of later captions.
        edition=2,
        frozen="synfiqa.actors.image_text.word_pieces:rehearsal_words",
        contracts=(Contract("rgb", "clip", resize="bicubic"),),
    ),
    "open-clip": Architecture(
        "image_text",
        "synfiqa.actors.image_text.open_clip:OpenClipImageText",
        rehearsal="synfiqa.actors.image_text.open_clip:write_random",
        contracts=(Contract("rgb", "clip"), Contract("rgb", "range", (-1.0, 1.0)), Contract("rgb", "imagenet")),
    ),
    # the generative chain
    "adm-unet": Architecture(
        "identity_generator",
        "synfiqa.actors.generation.unconditional.adm:AdmIdentityGenerator",
        network="synfiqa.actors.nets.adm_unet:AdmUNet",
        player_arguments=("steps", "pixels", "compile"),
        fits="synfiqa.actors.generation.unconditional.adm:settings_of",
        contracts=(Contract("rgb", "range", (-1.0, 1.0)),),
    ),
    "diffusers-unconditional": Architecture(
        "identity_generator",
        "synfiqa.actors.generation.unconditional.diffusers_pipeline:DiffusersIdentityGenerator",
        rehearsal="synfiqa.actors.generation.unconditional.diffusers_pipeline:write_random",
        fits="synfiqa.actors.generation.unconditional.diffusers_pipeline:settings_of",
        contracts=(Contract("rgb", "range", (-1.0, 1.0)),),
    ),
    "flame": Architecture(
        "face_model",
        "synfiqa.actors.generation.face_model.flame:flame",
        rehearsal="synfiqa.actors.generation.face_model.flame_random:write_random",
    ),
    "procedural-face": Architecture("face_model", "synfiqa.actors.generation.face_model.procedural:procedural"),
    "deca-coarse": Architecture(
        "face_encoder",
        "synfiqa.actors.generation.face_model.deca:DecaEncoder",
        network="synfiqa.actors.generation.face_model.deca:DecaCoarse",
        rules=StateRules(unwrap=("E_flame",), strip=("E_flame.",), allow_unexpected=("E_detail.*", "D_detail.*")),
        contracts=(Contract("rgb", "range", (0.0, 1.0), 224),),
    ),
    "procedural-encoder": Architecture(
        "face_encoder", "synfiqa.actors.generation.face_model.procedural_encoder:ProceduralEncoder"
    ),
    "bisenet-r18": Architecture(
        "face_parser",
        "synfiqa.actors.face_analysis.face_parser:FaceParser",
        network="synfiqa.actors.nets.bisenet:BiSeNet",
        gain=1.0,
        rules=StateRules(**_WRAPPED, allow_unexpected=("conv_out16.*", "conv_out32.*")),
        contracts=(Contract("rgb", "imagenet"),),
    ),
    "controlled-diffusion": Architecture(
        "conditional_diffusion",
        "synfiqa.actors.generation.controlled_diffusion.sampler:ControlledDiffusion",
        rehearsal="synfiqa.actors.generation.controlled_diffusion.rehearsal:write_random",
        fits="synfiqa.actors.generation.controlled_diffusion.sampler:settings_of",
        contracts=(Contract("rgb", "clip", resize="bicubic"),),
    ),
}
