"""The rules by which candidates are rejected, in the published order, under two profiles.

`corrected` requires a detected face first and judges it aligned. `faithful` does what was
released: there is no detection rule, pictures without a face are measured whole, a face that is not found cannot wear
glasses, and duplicates are compared on unaligned crops.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from synfiqa.actors.imaging.alignment import ARCFACE_SIZE
from synfiqa.actors.roles import Detection
from synfiqa.schemas.config.generate import FilterSection


@dataclass(frozen=True)
class Measured:
    """Input of the rules. Angles in degrees, the rest 0..1; `glasses` is the larger of commanded and measured.

    `owns_glasses`: glasses belong to the person (`generate.people.glasses`), who wears them in every image.
    """

    detection: float
    yaw: float
    expression: float
    glasses: float
    owns_glasses: bool = False


def judge(measured: Measured, rules: FilterSection) -> tuple[str, float]:
    """Return (reason, value) of the first rule broken, or ("", nan): detection, pose, glasses, expression.

    A value that could not be measured breaks its rule. Glasses that the person owns do not: references and samples
    show them too, so that no image differs by them.
    """
    if rules.profile == "corrected" and not measured.detection >= rules.min_detection:
        return "no_face", measured.detection
    if not abs(measured.yaw) < rules.max_yaw:
        return "yaw", measured.yaw
    if not (measured.owns_glasses or measured.glasses <= rules.max_glasses):
        return "glasses", measured.glasses
    if not measured.expression <= rules.max_expression:
        return "expression", measured.expression
    return "", float("nan")


def published_crop(image: np.ndarray, face: Detection | None) -> np.ndarray:
    """Return uint8 RGB (112, 112, 3) as the release compares identities: without alignment.

    The face's box is widened by half of |height - width| on both sides, cropped with black outside of the picture,
    and resized; without a face the whole picture is.
    """
    picture = Image.fromarray(image)
    if face is not None:
        # Bounds the memory of an absurd box: beyond a picture's size around the picture all is black.
        height, width = image.shape[:2]
        x0, x1 = (round(float(np.clip(value, -width, 2 * width))) for value in face.box[[0, 2]])
        y0, y1 = (round(float(np.clip(value, -height, 2 * height))) for value in face.box[[1, 3]])
        more = int(abs((y1 - y0) - (x1 - x0)) / 2)
        left, right = x0 - more, x1 + more
        picture = picture.crop((left, y0, max(right, left + 1), max(y1, y0 + 1)))
    # Pillow's bilinear averages when it shrinks, as the release does; OpenCV's would not.
    return np.array(picture.resize((ARCFACE_SIZE, ARCFACE_SIZE), Image.Resampling.BILINEAR))
