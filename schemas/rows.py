"""Arrow schemas of the tables of a run folder, version 5; `docs/formats.md` gives unit and range of each column."""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
from pydantic.fields import FieldInfo

from synfiqa.schemas.recipe import (
    PLUGIN_PREFIX,
    PLUGINS,
    REGIONS,
    SHOT,
    Recipe,
    Shot,
    column_of,
    recipe_fields,
    shot_fields,
    value_at,
)

SCHEMA_VERSION = 5

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""Encoded image and its relative path: the struct that Hugging Face `datasets` decodes as an image."""

_f32 = pa.float32()
LANDMARKS = pa.list_(_f32, 10)
"""x, y of image-left eye, image-right eye, nose tip, image-left and image-right mouth corner, in pixels."""

OCCLUDED_REGIONS = pa.struct([(name, _f32) for name in REGIONS])
"""Share of each region's visible skin that the occluder hides, 0..1; null where none of it is visible."""

CANDIDATES = pa.schema(
    [
        ("candidate", pa.int64()),
        ("unit", pa.int64()),
        ("seed", pa.int64()),
        ("image", IMAGE),
        ("attributes", pa.string()),  # JSON of what the generator commanded
        ("detection", _f32),
        ("landmarks", LANDMARKS),
        ("yaw", _f32),
        ("expression", _f32),
        ("glasses", _f32),
        ("embedding", pa.list_(_f32)),
        ("status", pa.string()),  # accepted | rejected | dead; set by the registry
        ("reason", pa.string()),  # empty when accepted
        ("value", _f32),  # the measurement that the reason is about
        ("identity", pa.int64()),  # accepted number in candidate order, else null
        ("error", pa.string()),
    ]
)
"""The identity ledger: one row for each candidate, one file for each unit, in candidate order."""

MORE_RECOGNITION = pa.list_(pa.struct([("embedder", pa.string()), ("cosine", _f32)]))
"""f_r of one sample by embedder, beside the column `recognition`; empty where a run has one embedder."""

IDENTITIES = pa.schema(
    [
        ("identity", pa.int64()),
        ("candidate", pa.int64()),
        ("seed", pa.int64()),
        ("attributes", pa.string()),
        ("image", IMAGE),
    ]
)
"""Columns of an accepted identity that the sample half reads."""


def _arrow_type(field: FieldInfo) -> pa.DataType:
    """Return the type of a recipe field's column: whole numbers are int32 where their bound fits, else int64."""
    if field.annotation is float:
        return _f32
    if field.annotation is int:
        return pa.int32() if any(getattr(bound, "le", 2**31) < 2**31 for bound in field.metadata) else pa.int64()
    return pa.string()


_RECIPE = [(column_of(path), _arrow_type(field)) for path, field in recipe_fields() if path != "kind"]

SAMPLES = pa.schema(
    [
        ("sample_id", pa.string()),
        ("identity", pa.int64()),
        ("candidate", pa.int64()),
        ("kind", pa.string()),  # reference | degraded
        ("index", pa.int32()),
        ("image", IMAGE),
        *_RECIPE,
        ("measured_yaw", _f32),  # degrees, signed, from the landmarks of the clean crop
        ("occluded_fraction", _f32),
        ("occluded_regions", OCCLUDED_REGIONS),
        # variances (px^2) and angle (radians) of the applied blur; null when unblurred
        ("kernel_lambda1", _f32),
        ("kernel_lambda2", _f32),
        ("kernel_theta", _f32),
        ("landmarks", LANDMARKS),  # in the aligned 112 x 112 image
        ("recognition", _f32),  # f_r, cosine to the mean reference embedding (leave-one-out for references)
        ("vision_language", _f32),  # v_l, image-text cosine to the reference caption
        ("more_recognition", MORE_RECOGNITION),  # f_r by each of models.more_embedders
    ]
)
"""The samples: one row for each image, with raw label components; the label pass fuses them."""

FACE_POINTS = pa.list_(_f32, 136)
"""x, y in pixels of each of the 68 points of the iBUG mark-up (`synfiqa.actors.face3d.shape.face_points`)."""

PORTRAITS = pa.schema([("portrait", IMAGE), ("portrait_landmarks", FACE_POINTS)])
"""Columns that `storage.portraits` adds: the clean portrait before alignment as PNG, and its 68 points."""

_SHOT = [(column_of(path), _arrow_type(field)) for path, field in shot_fields()]

SHOTS = pa.schema(
    [
        *_SHOT,
        ("detected", pa.bool_()),  # whether the detector found the face; else the crop is aligned by true landmarks
        # degrees by which the crop is turned against the alignment by true landmarks, > 0 clockwise
        ("measured_misalignment", _f32),
    ]
)
"""Columns that the profile `camera` adds: photograph and camera of the recipe, and what alignment made of it."""

SCORE_PREFIX = "score_"
"""Prefix of the columns that `models.scorers` adds: `score_sharpness`."""


def samples_schema(
    factors: Iterable[str] = (), scorers: Iterable[str] = (), *, portraits: bool = False, shots: bool = False
) -> pa.Schema:
    """Return the schema of samples with shots, portraits, a column for each factor of plug-ins and for each scorer.

    Factors and scorers stand in order of their names.
    """
    added = [*(PLUGIN_PREFIX + name for name in sorted(factors)), *(SCORE_PREFIX + name for name in sorted(scorers))]
    optional = [*(SHOTS if shots else ()), *(PORTRAITS if portraits else ())]
    return pa.schema([*SAMPLES, *optional, *((name, _f32) for name in added)])


def is_samples_schema(schema: pa.Schema) -> bool:
    """Return whether a schema is `SAMPLES`, or that with columns of shots, portraits, plug-ins' factors, scorers."""
    added = schema.names[len(SAMPLES) :]
    factors = [name.removeprefix(PLUGIN_PREFIX) for name in added if name.startswith(PLUGIN_PREFIX)]
    scorers = [name.removeprefix(SCORE_PREFIX) for name in added if name.startswith(SCORE_PREFIX)]
    optional = {"portraits": PORTRAITS.names[0] in added, "shots": SHOTS.names[0] in added}
    return bool(schema.equals(samples_schema(factors, scorers, **optional)))


LABELS = pa.schema(
    [
        ("sample_id", pa.string()),
        ("identity", pa.int64()),
        ("recognition", _f32),
        ("yaw_rank", pa.float64()),  # (N - average rank) / N in 0..1, higher is better
        ("downsample_rank", pa.float64()),
        ("blur_rank", pa.float64()),
        ("spatial", pa.float64()),  # s_d: minimum of the three, or 1 - the costs of all factors
        ("vision_language", _f32),
        ("raw", pa.float64()),  # m, before min-max
        ("quality", pa.float64()),  # 0..1
        ("group", pa.string()),  # Q0 (worst decile) .. Q9 (best)
    ]
)
"""The labels: one row for each degraded sample, joined to samples by `sample_id`."""

DEAD = pa.schema(
    [
        ("item", pa.string()),
        ("stage", pa.string()),
        ("error", pa.string()),
        ("reason", pa.string()),  # of a rejected sample; empty for a dead row
        ("value", pa.float64()),  # the measurement that rejected
        ("traceback", pa.string()),
        ("attempts", pa.int32()),
        ("node", pa.string()),
        ("spec", pa.string()),
    ]
)
"""Rows that were not made: one for each dead row or rejected sample, as `synfiqa.schemas.manifest.DeadRow`."""


def sample_id(identity: int, kind: str, index: int) -> str:
    """Return the name of a sample inside its run: `000012/Ref-3` or `000012/17`."""
    return f"{identity:06d}/Ref-{index}" if kind == "reference" else f"{identity:06d}/{index}"


def identity_of(sample: str) -> int:
    """Return the identity that a sample_id belongs to."""
    return int(sample.partition("/")[0])


def kind_of(sample: str) -> str:
    """Return the kind of the sample that a sample_id names: reference or degraded."""
    return "reference" if sample.partition("/")[2].startswith("Ref-") else "degraded"


def image_path(identity: int, kind: str, index: int) -> str:
    """Return the path of a sample in the published layout, relative to `data/`."""
    return sample_id(identity, kind, index) + ".jpg"


def portrait_path(identity: int, kind: str, index: int) -> str:
    """Return the path of a sample's portrait beside its crop: `000012/17.png`."""
    return sample_id(identity, kind, index) + ".png"


def recipe_to_row(recipe: Recipe) -> dict[str, float | int | str]:
    """Flatten a recipe into its columns: those of `SAMPLES`, `kind` among them, of plug-ins, and of a shot."""
    row: dict[str, float | int | str] = {column_of(path): value_at(recipe, path) for path, _ in recipe_fields()}
    if recipe.shot is not None:
        row |= {column_of(path): value_at(recipe, path) for path, _ in shot_fields()}
    return row | {PLUGIN_PREFIX + name: value for name, value in recipe.plugins}


def recipe_from_row(row: Mapping[str, Any]) -> Recipe:
    """Rebuild the recipe of a `SAMPLES` row; float32 storage rounds angles and strengths."""
    fields: dict[str, Any] = {}
    for path, _ in recipe_fields():
        part, dot, name = path.partition(".")
        if dot:
            fields.setdefault(part, {})[name] = row[column_of(path)]
        else:
            fields[part] = row[column_of(path)]
    added = sorted(name for name in row if name.startswith(PLUGIN_PREFIX))
    fields[PLUGINS] = tuple((name.removeprefix(PLUGIN_PREFIX), row[name]) for name in added)
    if row.get(_SHOT[0][0]) is not None:
        fields[SHOT] = Shot(**{path.partition(".")[2]: row[column_of(path)] for path, _ in shot_fields()})
    return Recipe(**fields)
