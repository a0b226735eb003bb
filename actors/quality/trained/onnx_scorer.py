"""Scores faces with an exported quality model through onnxruntime, without torch."""

import numpy as np
import onnxruntime

from synfiqa.actors.quality.trained.onnx_contract import INPUT, OUTPUT, SHAPE, card_of
from synfiqa.schemas.errors import UserError


class OnnxScorer:
    """A `QualityScorer` (`synfiqa.actors.roles`) of an ONNX file that `synfiqa export-model` made.

    The file holds the whole way from uint8 pixels to scores. `card` is the card in its metadata, with the digest of the
    file.
    """

    def __init__(self, data: bytes, source: str, device: str = "cpu") -> None:
        """Open the bytes of an ONNX file named `source`; UserError for a file without the contract of its metadata."""
        self._session = session_of(data, source, device)
        self.card = card_of(self._session.get_modelmeta().custom_metadata_map, data, source)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        names = [entry.name for entry in (*inputs, *outputs)]
        if names != [INPUT, OUTPUT] or inputs[0].type != "tensor(uint8)" or tuple(inputs[0].shape[1:]) != SHAPE:
            raise UserError(
                f"{source} does not map {INPUT} uint8 (N, 112, 112, 3) to {OUTPUT}, as its metadata state; make the "
                "file again with `synfiqa export-model`"
            )

    def score(self, images: np.ndarray, batch: int = 64) -> np.ndarray:
        """Return float64 scores (N,) of uint8 RGB faces (N, 112, 112, 3), higher being better."""
        if images.ndim != 4 or images.shape[1:] != SHAPE or images.dtype != np.uint8:
            raise ValueError(f"score takes uint8 RGB faces (N, 112, 112, 3), not {images.dtype} {images.shape}")
        parts = [
            np.asarray(self._session.run([OUTPUT], {INPUT: images[start : start + batch]})[0])
            for start in range(0, len(images), batch)
        ]
        return np.concatenate([*parts, np.empty(0, np.float32)]).astype(np.float64)


def session_of(data: bytes | str, source: str, device: str = "cpu") -> onnxruntime.InferenceSession:
    """Return a session of onnxruntime on cpu, cuda or cuda:N; UserError for damaged bytes and a missing provider.

    `data` is the content of a file, or its path where it keeps weights in files beside it.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    providers: list[str | tuple[str, dict[str, str]]] = ["CPUExecutionProvider"]
    if device.startswith("cuda"):
        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise UserError(f"onnxruntime here has no CUDA for {source}: install onnxruntime-gpu, or give --device cpu")
        number = device.partition(":")[2] or "0"
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": number}))
    try:
        return onnxruntime.InferenceSession(data, options, providers=providers)
    except Exception as error:  # onnxruntime's errors have no common base of their own
        cause = " ".join(str(error).split())[:160]
        raise UserError(f"{source} is no working ONNX model ({cause}): export or fetch it again") from error
