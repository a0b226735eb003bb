"""A DSL-FIQA network of a few thousand parameters."""

from synfiqa.actors.nets.fiqa.dsl.dsl_network import DslNetwork

SIDE = 64
TINY = {
    "side": SIDE,
    "width": 16,
    "depth": 4,
    "heads": 2,
    "mlp_ratio": 1.0,
    "stem": True,
    "swin_hidden": 16,
    "encoder_widths": [8, 8, 16],
    "encoder_grid": [2, 2],
    "landmarks": "positions",
    "landmark_bands": 1,
    "landmark_hidden": 8,
    "permuted": False,
    "rectified": False,
}


def tiny(**changes):
    return DslNetwork(**{**TINY, **changes})
