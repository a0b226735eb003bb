"""The quality components of ISO/IEC 29794-5 by their names in OFIQ, in the order of its output."""

from typing import Final

COMPONENTS: Final = (
    "UnifiedQualityScore",
    *("BackgroundUniformity", "IlluminationUniformity", "LuminanceMean", "LuminanceVariance"),
    *("UnderExposurePrevention", "OverExposurePrevention", "DynamicRange", "Sharpness"),
    *("CompressionArtifacts", "NaturalColour", "SingleFacePresent", "EyesOpen", "MouthClosed", "EyesVisible"),
    *("MouthOcclusionPrevention", "FaceOcclusionPrevention", "InterEyeDistance", "HeadSize"),
    *("LeftwardCropOfTheFaceImage", "RightwardCropOfTheFaceImage"),
    *("MarginAboveOfTheFaceImage", "MarginBelowOfTheFaceImage"),
    *("HeadPoseYaw", "HeadPosePitch", "HeadPoseRoll", "ExpressionNeutrality", "NoHeadCoverings"),
)
"""The 28 components, codes 0x41 to 0x5c."""
