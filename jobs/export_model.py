"""Command `export-model`: write a quality model as one ONNX file, compared with torch before it is kept."""

import argparse

from synfiqa.jobs.command import Command, option
from synfiqa.jobs.options import local_path, positive
from synfiqa.schemas.errors import UserError


def export_model(options: argparse.Namespace) -> None:
    """Write the file and print the largest difference of its scores."""
    out = local_path(options.out).expanduser()
    if out.suffix != ".onnx":
        raise UserError(f"--out {options.out} must end with .onnx")
    from synfiqa.actors.quality.trained.onnx_export import OPSET, export_onnx
    from synfiqa.fiqa_train.training.checkpoints import load_quality_model
    from synfiqa.jobs.terminal.output import say

    model = load_quality_model(options.model)
    difference = export_onnx(model, out, options.opset or OPSET)
    say(f"{out}: scores as {model.card.name} within {difference:.1g}; uint8 RGB (N, 112, 112, 3) to scores (N,)")


COMMAND = Command(
    "export-model",
    "write a quality model as an ONNX file, which `score --model` takes too",
    (
        option("model", metavar="PATH", help="bundled-quality, a run, a model folder or a weights file"),
        option("--out", required=True, metavar="FILE", help="file to write, .onnx"),
        option("--opset", type=positive, metavar="N", help="version of the ONNX operators (default: 18)"),
    ),
    export_model,
)


if __name__ == "__main__":
    COMMAND.main()
