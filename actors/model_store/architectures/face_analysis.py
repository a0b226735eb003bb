"""Architectures that detect, measure and parse faces."""

from synfiqa.actors.model_store.architectures.architecture import WRAPPED, Architecture, Contract
from synfiqa.schemas.model_card import StateRules

FACE_ANALYSIS = {
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
        rules=StateRules(**WRAPPED),
        contracts=(Contract("rgb", "imagenet"),),
    ),
    # head pose
    "landmark-pose": Architecture("pose", "synfiqa.actors.face_analysis.landmark_pose:LandmarkPose"),
    "6drepnet360": Architecture(
        "pose",
        "synfiqa.actors.face_analysis.rotation_pose:RotationNetPose",
        network="synfiqa.actors.nets.sixdrepnet:SixDRepNet360",
        player_arguments=("angles",),
        rules=StateRules(**WRAPPED),
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
    # face parsing
    "bisenet-r18": Architecture(
        "face_parser",
        "synfiqa.actors.face_analysis.face_parser:FaceParser",
        network="synfiqa.actors.nets.bisenet:BiSeNet",
        gain=1.0,
        rules=StateRules(**WRAPPED, allow_unexpected=("conv_out16.*", "conv_out32.*")),
        contracts=(Contract("rgb", "imagenet"),),
    ),
}
