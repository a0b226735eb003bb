"""Factors of the profile `camera`: photograph, optics, sensor, processing, file, and what alignment made of it.

They are rows of their own because only samples of that profile have their columns. Lengths are in e, the eye distance
of a frontal face; in the aligned crop e is 35.2 pixels.
"""

import numpy as np

from synfiqa.schemas.factors import camera_ladders
from synfiqa.schemas.factors.codec_strength import jpeg_equal
from synfiqa.schemas.factors.factor import Factor, Severity, Shown

CAMERA = "profile camera"
"""Among names of added factors: all rows of this table. No plug-in can have a name with a space."""

_CROP_EYES = 35.2
_FINE_FILE = 95  # quality of JPEG of severity 0
_FILES = (
    "shot_quality", "shot_codec", "shot_second_quality", "shot_second_codec", "shot_eyes", "shot_enlarged",
)  # fmt: skip
_SMALL_FACE = ("InterEyeDistance", "Sharpness")
_CUT = (
    *("LeftwardCropOfTheFaceImage", "RightwardCropOfTheFaceImage"),
    *("MarginAboveOfTheFaceImage", "MarginBelowOfTheFaceImage"),
)
_WIDE_MARGIN = 1.5  # distance of the picture's edge to the landmarks in e from which nothing is missing


def _kept_noise(sigma: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """Return the noise in grey levels that reaches the crop, whose pixels average those of a larger face."""
    return np.asarray(sigma * np.minimum(1, _CROP_EYES / eyes))


def _coarseness(
    quality: np.ndarray,
    codec: np.ndarray,
    second: np.ndarray,
    second_codec: np.ndarray,
    eyes: np.ndarray,
    enlarged: np.ndarray,
) -> np.ndarray:
    """Return the coarseness of the file that spoils the photograph more, by the quality of JPEG that equals it."""
    again = np.where(second > 0, jpeg_equal(second_codec, np.maximum(second, 1), eyes * enlarged), 100)
    return np.asarray(np.log(_FINE_FILE / np.minimum(jpeg_equal(codec, quality, eyes), again)))


def _nearness(cut: np.ndarray) -> np.ndarray:
    return np.asarray(np.where(cut > 0, np.maximum(_WIDE_MARGIN - cut, 0), 0))


CAMERA_FACTORS: tuple[Factor, ...] = (
    Factor(
        "shot.gain", "Exposure of the camera", "gain", 1.0, (0.001, 16), "camera",
        severities=(
            Severity("camera_dark", ("shot_gain",), lambda gain: -np.log(gain), ("UnderExposurePrevention",)),
            Severity("camera_bright", ("shot_gain",), np.log, ("OverExposurePrevention",)),
        ),
        shown=Shown("gain of exposure", "exposure x {:.2g}", lambda gain: gain != 1), iso="exposure",
        ladders=camera_ladders.GAIN,
    ),
    Factor(
        "shot.defocus", "Defocus", "radius of the disc in e", 0.0, (0, 1), "camera",
        severities=(Severity("camera_defocus", ("shot_defocus",), ofiq=("Sharpness",)),),
        shown=Shown("radius of the disc, e", "defocus {:.2f} e", lambda radius: radius > 0), iso="sharpness",
        ladders=camera_ladders.DEFOCUS,
    ),
    Factor(
        "shot.blur", "Blur of the lens", "sigma in e", 0.0, (0, 1), "camera",
        severities=(Severity("camera_blur", ("shot_blur",), ofiq=("Sharpness",)),),
        shown=Shown("sigma, e", "blur {:.2f} e", lambda sigma: sigma > 0), iso="sharpness",
        ladders=camera_ladders.BLUR,
    ),
    Factor(
        "shot.shake", "Shake of the camera", "length in e", 0.0, (0, 2), "camera",
        severities=(Severity("camera_shake", ("shot_shake",), ofiq=("Sharpness",)),),
        shown=Shown("length, e", "shake {:.2f} e", lambda length: length > 0), iso="sharpness",
        ladders=camera_ladders.SHAKE,
    ),
    Factor(
        "shot.eyes", "Size of the face on the sensor", "e in pixels", 60.0, (2, 200), "camera",
        severities=(Severity("small_face", ("shot_eyes",), lambda eyes: np.log(_CROP_EYES / eyes), _SMALL_FACE),),
        shown=Shown("e, pixels", "{:.0f} px between the eyes", lambda eyes: eyes < 24), iso="inter-eye distance",
        ladders=camera_ladders.EYES,
    ),
    Factor(
        "shot.noise", "Noise of the sensor", "sigma in grey levels", 0.0, (0, 100), "camera",
        severities=(Severity("camera_noise", ("shot_noise", "shot_eyes"), _kept_noise),),
        shown=Shown("sigma at mid-grey, grey levels", "noise {:.0f}", lambda sigma: sigma > 4),
        ladders=camera_ladders.NOISE,
    ),
    Factor(
        "shot.dark_noise", "Read noise of dark pictures", "sigma in grey levels", 0.0, (0, 20), "camera",
        severities=(Severity("read_noise", ("shot_dark_noise", "shot_lift"), lambda sigma, lift: sigma * lift),),
        shown=Shown("sigma, grey levels", "read noise {:.1f}", lambda sigma: sigma > 0),
        ladders=camera_ladders.DARK_NOISE,
    ),
    Factor(
        "shot.haze", "Haze and flare", "share of veiling light", 0.0, (0, 1), "camera",
        severities=(Severity("haze", ("shot_haze",), ofiq=("DynamicRange",)),),
        shown=Shown("share of veiling light", "haze {:.0%}", lambda share: share > 0), iso="dynamic range",
        ladders=camera_ladders.HAZE,
    ),
    Factor(
        "shot.contrast", "Low contrast", "factor", 1.0, (0, 2), "camera",
        severities=(Severity("low_contrast", ("shot_contrast",), lambda factor: 1 - factor, ("LuminanceVariance",)),),
        shown=Shown("contrast", "contrast {:.2f}", lambda factor: factor < 1), iso="luminance variance",
        ladders=camera_ladders.CONTRAST,
    ),
    Factor(
        "shot.gamma", "Tone curve", "exponent", 1.0, (0.05, 8), "camera",
        severities=(Severity("tone", ("shot_gamma",), lambda gamma: np.abs(np.log(gamma)), ("LuminanceMean",)),),
        shown=Shown("exponent", "gamma {:.1f}", lambda gamma: gamma != 1), iso="luminance mean",
        ladders=camera_ladders.GAMMA,
    ),
    Factor(
        "shot.distortion", "Radial distortion", "k1", 0.0, (-0.15, 0.5), "camera",
        severities=(Severity("distortion", ("shot_distortion",), np.abs),),
        shown=Shown("size of k1", "distortion {:.2f}", lambda k1: k1 != 0), iso="no radial distortion",
        ladders=camera_ladders.DISTORTION,
    ),
    Factor(
        "shot.quality", "Compression of the photograph", "quality of the codec", 100, (1, 100), "camera",
        severities=(
            Severity("camera_codec", _FILES, _coarseness, ("CompressionArtifacts",)),
        ),
        shown=Shown("quality", "quality {:.0f}", lambda quality: quality < 60), iso="no compression artefacts",
        ladders=camera_ladders.QUALITY,
    ),
    Factor(
        "shot.patch", "Patch before the face", "side in e", 0.0, (0, 3), "camera",
        severities=(Severity("patch", ("shot_patch",), ofiq=("FaceOcclusionPrevention",)),),
        shown=Shown("side, e", "patch {:.1f} e", lambda side: side > 0), iso="face occlusion prevention",
        ladders=camera_ladders.PATCH,
    ),
    Factor(
        "shot.cut", "Face cut by the frame", "distance of the edge in e", 0.0, (0, 3), "camera",
        severities=(Severity("cut", ("shot_cut",), _nearness, _CUT),),
        shown=Shown("distance of the edge, e", "edge at {:.1f} e", lambda cut: cut > 0),
        iso="crop of the face image, margins",
        ladders=camera_ladders.CUT,
    ),
    Factor(
        "shot.second_face", "Second face", "size of its head", 0.0, (0, 1), "render",
        severities=(Severity("second_face", ("shot_second_face",), ofiq=("SingleFacePresent",)),),
        shown=Shown("size of the other head", "second face {:.1f}", lambda size: size > 0), iso="single face present",
        ladders=camera_ladders.SECOND_FACE,
    ),
    Factor(
        "shot.head", "Size of the head", "size of a portrait's", 1.0, (0.3, 2), "render",
        shown=Shown("size of the head", "head {:.2f}", lambda size: size < 0.7), iso="head size",
        ofiq=("HeadSize",),
        ladders=camera_ladders.HEAD,
    ),
    Factor(
        "shot.turn", "Turned picture", "degrees", 0.0, (-180, 180), "render",
        measured="measured_misalignment",
        severities=(
            Severity("crop_turn", ("measured_misalignment",), np.abs, ("HeadPoseRoll",)),
            Severity("missed", ("detected",), lambda found: 1 - found),
        ),
        shown=Shown("rotation left in the crop, degrees", "turned {:z.0f}°", lambda turn: abs(turn) > 5),
        ladders=camera_ladders.TURN,
    ),
)  # fmt: skip
"""All rows. Their order is that of the severities after those of `FACTORS`: new ones go to the end."""
