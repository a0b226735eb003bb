"""Factors of optics, sensor, file and aligner."""

import numpy as np

from synfiqa.schemas.factors.factor import Caption, Factor, Fault, Ladder, Severity, Shown

_FINE_JPEG = 95  # quality of severity 0
_NEAR = 3.5  # head heights, below which a camera is near: in recipes, captions, severities and reports

DOWNSAMPLE = Factor(
    field="downsample",
    title="Lost resolution",
    unit="factor s",
    neutral=1.0,
    range=(1, 8),
    where="crop",
    severities=(Severity("downsample", ("downsample",), np.log, ofiq=("Sharpness",)),),
    ladders=(Ladder("resolution", (56, 32, 20, 14, 11), place=19, crop="resolution"),),
    bundled=(Ladder("resolution", (112, 84, 56, 42, 28, 20, 14, 10), place=15, crop="resolution"),),
    shown=Shown("down-sampling factor s", "downsample {:.1f}", lambda factor: factor > 1.05),
    iso="sharpness",
)
BLUR = Factor(
    field="blur",
    title="Blur",
    unit="level b",
    neutral=1.0,
    range=(1, 8),
    where="crop",
    severities=(Severity("blur", ("blur",), np.log, ofiq=("Sharpness",)),),
    ladders=(Ladder("blur", (1, 2, 3, 4, 5.5), place=18, crop="blur_sigma"),),
    bundled=(Ladder("blur", (0.0, 1.0, 2.0, 3.0, 4.0, 6.0), place=14, crop="blur"),),
    # Classes of all loss of detail, in pixels of a Gaussian's standard deviation.
    caption=Caption(
        "sharpness",
        {
            "sharp": ("sharp", "crisp", "clear", "detailed"),
            "soft": ("slightly blurry", "rather soft", "slightly out of focus"),
            "blurry": ("very blurry", "badly blurred", "heavily out of focus", "low resolution"),
        },
        steps=(("sharp", 0.8), ("soft", 1.8)),
        beyond="blurry",
    ),
    shown=Shown("blur level b", "blur {:.1f}", lambda level: level > 1.05),
    iso="sharpness",
)
MOTION = Factor(
    field="motion",
    title="Shake",
    unit="pixels of the crop",
    neutral=0.0,
    range=(0, 30),
    where="crop",
    severities=(Severity("motion", ("motion",), ofiq=("Sharpness",)),),
    fault=Fault("motion_rate", "motion", (0.1, 30), "motion"),
    ladders=(Ladder("motion", (4, 8, 14, 20, 28), place=17),),
    bundled=(Ladder("motion", (0.0, 4.0, 8.0, 14.0, 22.0), place=16, crop="motion"),),
    shown=Shown("motion blur, pixels", "shake {:.0f} px", lambda length: length > 0),
    iso="sharpness",
)
NOISE = Factor(
    field="noise",
    title="Sensor noise",
    unit="sigma in grey levels",
    neutral=0.0,
    range=(0, 80),
    where="crop",
    severities=(Severity("noise", ("noise",)),),
    fault=Fault("noise_rate", "noise", (0.1, 80), "noise"),
    ladders=(Ladder("noise", (10, 20, 35, 50, 70), place=20, crop="noise_sigma"),),
    bundled=(Ladder("noise", (0.0, 10.0, 20.0, 40.0, 60.0), place=17, crop="noise"),),
    caption=Caption(
        "grain",
        {"clean": (), "noisy": ("full of sensor noise", "with strong grain")},
        steps=(("clean", 9.0),),
        beyond="noisy",
    ),
    shown=Shown("sigma at mid-grey, grey levels", "noise {:.0f}", lambda sigma: sigma > 0),
)
JPEG = Factor(
    field="jpeg_quality",
    title="Compression",
    unit="JPEG quality",
    neutral=100,
    range=(1, 100),
    where="file",
    severities=(
        Severity(
            "jpeg", ("jpeg_quality",), lambda quality: np.log(_FINE_JPEG / quality), ofiq=("CompressionArtifacts",)
        ),
    ),
    fault=Fault("jpeg_rate", "coarse_jpeg", (1, 100), "jpeg", draw="whole"),
    ladders=(Ladder("compression", (30, 12, 6, 3), place=21),),
    bundled=(Ladder("jpeg", (90, 50, 20, 10, 5), place=18, crop="jpeg"),),
    caption=Caption(
        "file",
        {"fine": (), "coarse": ("badly compressed", "with compression blocks")},
        steps=(("coarse", 25),),
        beyond="fine",
    ),
    shown=Shown("JPEG quality", "JPEG {:.0f}", lambda quality: quality < 50),
    iso="no compression artefacts",
)
DISTANCE = Factor(
    field="camera_distance",
    title="Camera distance",
    unit="head heights of 24 cm",
    neutral=5.0,
    range=(1.2, 100),
    where="render",
    severities=(Severity("near_camera", ("camera_distance",), lambda distance: _NEAR - distance),),
    fault=Fault("near_camera_rate", "near_camera", (1.2, 100), "near camera"),
    ladders=(Ladder("near", (2.5, 1.8, 1.3), place=8),),
    bundled=(Ladder("near_camera", (2.5, 1.7, 1.3), place=13),),
    caption=Caption(
        "lens",
        {"usual": (), "near": ("taken too close", "distorted by a near lens")},
        steps=(("near", _NEAR),),
        beyond="usual",
    ),
    thresholds={"near": _NEAR},
    shown=Shown("head heights", "camera at {:.1f} head heights", lambda distance: distance < _NEAR),
)
MISALIGNMENT = Factor(
    field="misalignment",
    title="Bad alignment",
    unit="degrees",
    neutral=0.0,
    range=(-90, 90),
    where="aligner",
    # In an aligned crop this is the roll that is left.
    severities=(Severity("misalignment", ("misalignment",), np.abs, ofiq=("HeadPoseRoll",)),),
    fault=Fault("misalignment_rate", "misalignment", (0.1, 90), "misalignment", draw="signed"),
    ladders=(Ladder("misalignment", (6, 12, 25, 50), place=16, sign="turn"),),
    bundled=(Ladder("misalignment", (10, 25, 45, 90), place=12),),
    learnable=(0.0, 20.0),
    caption=Caption(
        "framing",
        {"upright": (), "turned": ("badly aligned", "rotated in the frame")},
        steps=(("upright", 10.0),),
        beyond="turned",
    ),
    shown=Shown("rotation left in the crop, degrees", "turned {:z.0f}°", lambda turn: turn != 0),
)
