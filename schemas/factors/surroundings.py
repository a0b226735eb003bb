"""Factors of the scene: what covers the face, and what lies behind it."""

from synfiqa.schemas.factors.factor import Caption, Factor, Ladder, Severity, Signs
from synfiqa.schemas.recipe import REGIONS, Recipe


def _components(region: str) -> tuple[str, ...]:
    named = {
        "left_eye": "EyesVisible",
        "right_eye": "EyesVisible",
        "mouth": "MouthOcclusionPrevention",
        "forehead": "NoHeadCoverings",
    }
    return ("FaceOcclusionPrevention", *([named[region]] if region in named else []))


def _covered(kind: str, levels: tuple[float, ...], place: int) -> Ladder:
    def put(base: Recipe, level: float, _: Signs) -> Recipe:
        return Recipe(**{**dict(base), "occluder": kind, "occluder_coverage": level})

    return Ladder(kind, levels, place, put=put)


OCCLUDER = Factor(
    field="occluder",
    title="Occluder",
    unit="kind, coverage 0 to 1",
    neutral="none",
    range=None,
    where="render",
    severities=tuple(
        Severity(f"covered_{region}", (f"covered_{region}",), ofiq=_components(region)) for region in REGIONS
    ),
    ladders=(
        _covered("sunglasses", (0.0, 0.5, 1.0), 9),
        _covered("mask", (0.3, 0.6, 1.0), 10),
        _covered("scarf", (0.3, 0.6, 0.9), 11),
        _covered("hand", (0.3, 0.6, 1.0), 12),
        _covered("hat", (0.0, 0.5, 1.0), 13),
        _covered("hair", (0.3, 0.6, 1.0), 14),
        _covered("object", (0.3, 0.6, 0.9), 15),
    ),
    bundled=(
        _covered("glasses", (0.5,), 2),
        _covered("sunglasses", (0.5,), 3),
        _covered("mask", (0.3, 0.6, 1.0), 4),
        _covered("scarf", (0.5, 1.0), 5),
        _covered("hand", (0.5, 1.0), 6),
        _covered("hat", (0.2, 1.0), 7),
        _covered("hair", (0.2, 1.0), 8),
        _covered("object", (0.3, 1.0), 9),
    ),
    caption=Caption(
        "occlusion",
        {
            "none": ("with nothing covering the face", "with the face fully visible", "with an uncovered face"),
            "glasses": ("wearing glasses", "with eyeglasses on"),
            "sunglasses": ("wearing sunglasses", "with sunglasses covering the eyes"),
            "mask": ("wearing a mask", "with a mask covering the mouth"),
            "scarf": ("wearing a scarf", "with a scarf covering the chin"),
            "hand": ("with a hand covering the face", "behind a raised hand"),
            "hat": ("wearing a hat", "with a hat over the forehead"),
            "hair": ("with hair over the eyes", "with strands covering the face"),
            "object": ("behind a held object", "with an object before the face"),
            "glare": ("with glare on the glasses", "with reflections hiding the eyes"),
            "hijab": ("wearing a hijab", "with a headscarf around the face"),
            "hood": ("wearing a hood", "with a hood over the head"),
            "headphones": ("wearing headphones", "with headphones over the ears"),
        },
    ),
    iso="face occlusion prevention, eyes visible, no head coverings",
)
BACKGROUND = Factor(
    field="background",
    title="Background",
    unit="kind",
    neutral="plain",
    range=None,
    where="render",
    caption=Caption(
        "background",
        {
            "plain": ("on a plain background",),
            "gradient": ("on a smooth background",),
            "blurred": ("on a blurred background",),
            "cluttered": ("on a cluttered background",),
        },
    ),
    iso="background uniformity",
)
