"""Architecture and arguments of a published quality network, from the keys and shapes of its checkpoint."""

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from synfiqa.actors.nets.insightface import BLOCKS, EMBEDDING_DIM, WIDTHS
from synfiqa.schemas.errors import UserError

Shapes = Mapping[str, Sequence[int]]

HEAD_SIDE = 64
"""Width of an attention head in the published vision transformers; no checkpoint holds their number."""


def detect_fiqa(shapes: Shapes) -> tuple[str, dict[str, Any]]:
    """Return architecture and arguments of the network whose state dict has these keys and shapes.

    `qs.9.weight` marks MR-FIQA's label head, `qs.weight` CR-FIQA's linear one; block counts give the depth. Of a
    ViT-FIQA checkpoint of mode `token` patch, width, depth and MLP are read off; heads are taken as 64 wide.
    `base_model` and `mlp` are eDifFIQA's parts, `quality.3` SDD-FIQA's. UserError naming the missing keys of a quality
    head, which would otherwise be random, and for keys of another network.
    """
    if "patch_embed.proj.weight" in shapes:
        return "fiqa-vit", _transformer(shapes)
    if "layer1.0.conv1.weight" in shapes and "conv1.weight" in shapes:
        return "fiqa-iresnet", _iresnet(shapes)
    if any(key.startswith("base_model.") for key in shapes):
        return "ediffiqa", _ediffiqa(shapes)
    if "body.0.res_layer.4.weight" in shapes and not any(key.startswith("output_layer.") for key in shapes):
        return "sdd-fiqa", _sdd_fiqa(shapes)
    shown = ", ".join(list(shapes)[:3]) or "none"
    raise UserError(
        f"the checkpoint holds no quality model that is known by its keys ({shown}): give weights of CR-FIQA, "
        "MR-FIQA, ViT-FIQA, eDifFIQA or SDD-FIQA, or a model made by `synfiqa train`"
    )


def _iresnet(shapes: Shapes) -> dict[str, Any]:
    arguments = _trunk(shapes)
    label = any(re.match(r"qs\.\d", key) for key in shapes)
    _shape(shapes, "qs.9.weight" if label else "qs.weight")
    return {**arguments, "head": "label" if label else "linear"}


def _ediffiqa(shapes: Shapes) -> dict[str, Any]:
    hidden = _shape(shapes, "mlp.l1.weight")[0]
    _shape(shapes, "mlp.l2.weight")
    trunk = {key.removeprefix("base_model."): shape for key, shape in shapes.items() if key.startswith("base_model.")}
    size = (
        {"trunk": "mobilefacenet", "embedding_dim": trunk["linear.weight"][0]}
        if "linear.weight" in trunk
        else {"trunk": "iresnet", **_trunk(trunk)}
    )
    return {**size, "hidden": hidden}


def _sdd_fiqa(shapes: Shapes) -> dict[str, Any]:
    _shape(shapes, "quality.3.weight")
    blocks = [
        _shape(shapes, f"body.{index}.res_layer.4.weight")[0] for index in range(_count(shapes, r"body\.(\d+)\."))
    ]
    stages = [(width, len(list(group))) for width, group in groupby(blocks)]
    return {"layers": [count for _, count in stages], "widths": [width for width, _ in stages]}


def _trunk(shapes: Shapes) -> dict[str, Any]:
    layers = tuple(_count(shapes, rf"layer{stage}\.(\d+)\.") for stage in (1, 2, 3, 4))
    depth = next((depth for depth, blocks in BLOCKS.items() if blocks == layers), None)
    arguments: dict[str, Any] = {"depth": depth} if depth else {"layers": list(layers)}
    widths = [_shape(shapes, f"layer{stage}.0.conv1.weight")[0] for stage in (1, 2, 3, 4)]
    if tuple(widths) != WIDTHS:
        arguments["widths"] = widths
    if (embedding_dim := _shape(shapes, "fc.weight")[0]) != EMBEDDING_DIM:
        arguments["embedding_dim"] = embedding_dim
    return arguments


def _transformer(shapes: Shapes) -> dict[str, Any]:
    width, _, patch, _ = _shape(shapes, "patch_embed.proj.weight")
    _shape(shapes, "qs_token")
    _shape(shapes, "head_qs.1.weight")
    embedding_dim, read = _shape(shapes, "feature.0.weight")
    hidden = _shape(shapes, "blocks.0.mlp.fc1.weight")[0]
    return {
        "patch": patch,
        "width": width,
        "depth": _count(shapes, r"blocks\.(\d+)\."),
        "heads": max(1, width // HEAD_SIDE),
        "mlp_ratio": hidden // width if hidden % width == 0 else hidden / width,
        "embedding_dim": embedding_dim,
        "pooling": "mean" if read == width else "all",
    }


def _count(shapes: Shapes, pattern: str) -> int:
    return max((int(found[1]) + 1 for key in shapes if (found := re.match(pattern, key))), default=0)


def _shape(shapes: Shapes, key: str) -> Sequence[int]:
    if key not in shapes:
        raise UserError(
            f"the checkpoint lacks {key}, without which the network would give random scores: give the file of a "
            "quality network, or train one from a recognition network with `synfiqa train`"
        )
    return shapes[key]
