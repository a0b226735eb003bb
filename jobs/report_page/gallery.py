"""Selects the images of the page, evenly and always the same, and writes their captions."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from synfiqa.cluster.commits.shard_store import Committed, ShardStore
from synfiqa.fiqa_train.labels.label_totals import LabelTotals
from synfiqa.jobs.report_page.data import EXPRESSIONS, sample_images, spread
from synfiqa.jobs.report_page.pictures import Picture, picture
from synfiqa.schemas.config.generate import FilterSection
from synfiqa.schemas.factors import FACTORS
from synfiqa.schemas.factors.camera_rows import CAMERA, CAMERA_FACTORS
from synfiqa.schemas.factors.face import EXPRESSION
from synfiqa.schemas.factors.plugin_rows import plugged_rows
from synfiqa.schemas.recipe import PLUGIN_PREFIX

IDENTITY_LIMIT = 64
SHOWCASES = 2
_SHOWCASE_LIMIT = 40
_PER_GROUP = 8
PER_REASON = 10
"""Most pictures of candidates rejected for one reason."""


@dataclass(frozen=True)
class Showcase:
    """One identity: its references, and its degraded samples from best to worst label."""

    identity: int
    references: list[Picture]
    degraded: list[Picture]


@dataclass(frozen=True)
class Group:
    """One decile of the labels: exact count and range over the whole run, and a few example pictures."""

    name: str
    count: int
    low: float
    high: float
    pictures: list[Picture]


@dataclass(frozen=True)
class Rejects:
    """Some candidates that were rejected for one reason; the captions are the measured values."""

    reason: str
    rule: str
    pictures: list[Picture]


@dataclass(frozen=True)
class Gallery:
    """All pictures of samples on the page."""

    identities: list[Picture]
    showcases: list[Showcase]
    groups: list[Group]


def gallery(store: ShardStore, commits: Committed, frame: pd.DataFrame, totals: LabelTotals | None) -> Gallery:
    """Choose and load the pictures. `frame` holds samples with `quality` and `group` where labels exist (`totals`)."""
    references = frame[frame["kind"] == "reference"]
    firsts = references.sort_values(["identity", "index"]).drop_duplicates("identity")
    faces = firsts.iloc[spread(range(len(firsts)), IDENTITY_LIMIT)]
    members = [frame[frame["identity"] == identity] for identity in spread(firsts["identity"].tolist(), SHOWCASES)]
    examples = {} if totals is None else _examples(frame)
    images = sample_images(store, commits, pd.concat([faces, *members, *examples.values()]))
    return Gallery(
        identities=[_show(row, images, str(row.identity)) for row in faces.itertuples()],
        showcases=[_showcase(rows, images) for rows in members],
        groups=[] if totals is None else _groups(totals, examples, images),
    )


def rejects(candidates: pd.DataFrame, reasons: Iterable[str], rules: FilterSection) -> list[Rejects]:
    """Choose rejected candidates (`data.candidate_frame`), in the given order of reasons."""
    wording, rejected = _rules(rules), candidates[candidates["status"] == "rejected"]
    rows = {str(reason): part.head(PER_REASON) for reason, part in rejected.groupby("reason")}
    return [
        Rejects(reason, wording.get(reason, ""), [_rejected(row) for row in rows[reason].itertuples()])
        for reason in reasons
        if reason in rows
    ]


def _rules(rules: FilterSection) -> dict[str, str]:
    return {
        "no_face": f"face probability below {rules.min_detection:g}",
        "yaw": f"head turned by {rules.max_yaw:g}° or more",
        "expression": f"strongest expression unit above {rules.max_expression:g}",
        "glasses": f"glasses score above {rules.max_glasses:g}",
        "duplicate": f"cosine to an accepted identity above {rules.max_similarity:g}",
        "surplus": "passed the filter after enough identities had been accepted",
    }


def _showcase(rows: pd.DataFrame, images: dict[str, bytes]) -> Showcase:
    degraded = rows[rows["kind"] == "degraded"].sort_values(["quality", "index"], ascending=[False, True])
    references = rows[rows["kind"] == "reference"].sort_values("index")
    return Showcase(
        identity=int(rows["identity"].iloc[0]),
        references=[_show(row, images, "") for row in references.head(12).itertuples()],
        degraded=[
            _show(row, images, _label(row))
            for row in degraded.iloc[spread(range(len(degraded)), _SHOWCASE_LIMIT)].itertuples()
        ],
    )


def _examples(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    labelled = frame.dropna(subset=["quality"]).sort_values(["quality", "sample_id"])
    return {
        str(name): rows.iloc[spread(range(len(rows)), _PER_GROUP)]
        for name, rows in labelled.groupby("group", sort=True)
    }


def _groups(totals: LabelTotals, examples: dict[str, pd.DataFrame], images: dict[str, bytes]) -> list[Group]:
    return [
        Group(
            name=name,
            count=group.count,
            low=group.low,
            high=group.high,
            pictures=[_show(row, images, _label(row)) for row in examples[name].itertuples()]
            if name in examples
            else [],
        )
        for name, group in sorted(totals.groups.items())
    ]


def _show(row: Any, images: dict[str, bytes], caption: str) -> Picture:
    remark = "" if row.kind == "reference" else describe(row)
    return picture(images.get(row.sample_id), describe(row), caption, remark)


def _label(row: Any) -> str:
    return "" if pd.isna(row.quality) else f"{row.quality:.2f}"


def describe(row: Any) -> str:
    """Return the degradations of a sample such as `000012/7: yaw -31°, downsample 2.1, mask`, or its prompt."""
    if row.kind == "reference":
        return f"{row.sample_id}: reference of identity {row.identity}"
    added = [name.removeprefix(PLUGIN_PREFIX) for name in row._fields if name.startswith(PLUGIN_PREFIX)]
    added += [CAMERA] if CAMERA_FACTORS[0].column in row._fields else []
    shown = [(factor.shown, getattr(row, factor.column)) for factor in (*FACTORS, *plugged_rows(added)) if factor.shown]
    parts = [shown.remark.format(value) for shown, value in shown if shown.visible(value)]
    if row.occluder != "none":
        parts.append(str(row.occluder))
    parts += [name.replace("_", " ") for name in EXPRESSIONS if getattr(row, name) >= EXPRESSION.thresholds["visible"]]
    parts += [f"prompt “{row.prompt}”"] if row.prompt else []
    return f"{row.sample_id}: {', '.join(parts) or 'no visible change'}"


def _rejected(row: Any) -> Picture:
    image = row.image or {}
    value = "" if pd.isna(row.value) else _measured(str(row.reason), float(row.value))
    name = f"candidate {row.candidate}"
    return picture(image.get("bytes"), f"{name}, rejected: {row.reason} {value}".strip(), value, name)


def _measured(reason: str, value: float) -> str:
    text = f"{value:+.0f}°" if reason == "yaw" else f"{value:.3g}"
    return text.replace("-", "−")
