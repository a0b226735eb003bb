"""Exports a quality model to one ONNX file that maps uint8 pixels to scores, compared with torch before it is kept."""

import io
import tempfile
import warnings
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from synfiqa.actors.imaging.gray import LUMA
from synfiqa.actors.imaging.preprocess import normalised
from synfiqa.actors.model_store.architectures.extras import remedy
from synfiqa.actors.model_store.checks.canary import canary_images
from synfiqa.actors.nets.fiqa.contract import FiqaNetwork
from synfiqa.actors.quality.trained.onnx_contract import INPUT, OUTPUT, SHAPE, metadata_of
from synfiqa.actors.quality.trained.onnx_scorer import OnnxScorer
from synfiqa.actors.quality.trained.quality_model import QualityModel
from synfiqa.actors.roles import takes_portraits
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.model_card import ModelCard

OPSET = 18
"""Version of the ONNX operators by default."""
TOLERANCE = 1e-4
"""Largest difference between onnxruntime and torch, relative to scores above 1."""
NOISE_FACES = 3
"""Faces of noise beside the canary in the comparison."""


class PixelsToScores(nn.Module):
    """A quality network behind the preparation of its input: uint8 RGB (N, 112, 112, 3) to scores float32 (N,)."""

    def __init__(self, network: FiqaNetwork, card: ModelCard) -> None:
        super().__init__()
        self.network = network
        self._card = card
        self.register_buffer("luma", torch.tensor(LUMA))

    def forward(self, images: Tensor) -> Tensor:
        """Return scores (N,), higher being better."""
        pixels = images.float()
        if self._card.channels == "gray":
            # Rounded, as luma is stored in training.
            return self._scores((pixels * self.get_buffer("luma")).sum(dim=3).round())
        return self._scores(normalised(pixels.permute(0, 3, 1, 2), self._card))

    def _scores(self, inputs: Tensor) -> Tensor:
        scores: Tensor = self.network(inputs)
        return scores


def export_onnx(model: QualityModel, target: Path, opset: int = OPSET) -> float:
    """Write the model as ONNX and return the largest difference between its scores and torch's.

    The batch size is free. UserError for a network of portraits, without the extra `onnx`, for an opset that torch
    cannot write, and where the folder is missing; JobFailed, with no file written, where scores differ by more than
    `TOLERANCE`.
    """
    if takes_portraits(model):
        raise UserError(
            f"{model.card.name} scores portraits, for which there is no ONNX contract: score with the model itself"
        )
    if find_spec("onnx") is None:
        raise UserError(f"exporting needs synfiqa[onnx], which is not installed here: {remedy('onnx')}")
    if not target.parent.is_dir():
        raise UserError(f"the folder {target.parent} is not there; make it, or name another --out")
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        data = _graph(model, Path(folder) / "model.onnx", opset)
        difference = compare(model, OnnxScorer(data, target.name))
        whole = Path(folder) / "whole.onnx"
        whole.write_bytes(data)
        whole.replace(target)
    return difference


def compare(model: QualityModel, exported: OnnxScorer) -> float:
    """Return the largest difference of scores on the canary and on noise, alone and together; JobFailed if too large.

    Differences are relative to the largest score where that is above 1.
    """
    noise = np.random.default_rng(0).integers(0, 256, (NOISE_FACES, *SHAPE), np.uint8)
    images = np.concatenate([canary_images(), noise])
    wanted = model.score(images).astype(np.float64)
    try:
        alone = np.concatenate([exported.score(images[index : index + 1]) for index in range(len(images))])
        together = exported.score(images)
    except Exception as error:  # onnxruntime's errors have no common base of their own
        cause = " ".join(str(error).split())[:160]
        raise JobFailed(f"the exported model does not run ({cause}) and was not kept; try another --opset") from error
    distances = np.abs(np.stack([together, alone]) - wanted) / max(1.0, float(np.abs(wanted).max()))
    difference = float(distances.max())
    if not difference <= TOLERANCE:
        raise JobFailed(
            f"the exported model scores by up to {difference:.2g} differently from torch, more than {TOLERANCE:g}, and "
            "was not kept; try another --opset"
        )
    return difference


def _graph(model: QualityModel, path: Path, opset: int) -> bytes:
    """Return the bytes of the ONNX model with its metadata; `path` is a file that may be written."""
    import onnx

    if opset > onnx.defs.onnx_opset_version():
        raise UserError(f"--opset {opset} is newer than onnx {onnx.__version__} here; leave it out for {OPSET}")
    module = PixelsToScores(model.network, model.card).to(model.device).eval()
    example = torch.from_numpy(canary_images()).to(model.device)
    # The exporter prints the whole graph before it raises.
    with torch.no_grad(), warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            # The newer exporter needs onnxscript.
            torch.onnx.export(
                module,
                (example,),
                str(path),
                dynamo=False,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_axes={INPUT: {0: "N"}, OUTPUT: {0: "N"}},
                opset_version=opset,
            )
        except (torch.onnx.errors.OnnxExporterError, ValueError) as error:
            cause = " ".join(str(error).split())[:160]
            raise UserError(
                f"torch cannot export {model.card.name} with --opset {opset} ({cause}); leave it out"
            ) from error
    graph = onnx.load_model(str(path))
    onnx.helper.set_model_props(graph, metadata_of(model.card))
    data: bytes = graph.SerializeToString()
    return data
