"""Reads a run for the report: all counts and labels, and columns of a deterministic selection of shards."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from synfiqa.cluster.commits.dataset_summary import summarise
from synfiqa.cluster.commits.shard_store import Committed, ShardStore
from synfiqa.cluster.run.manifest import planned_shards
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.labels.label_pass import label_tables, read_calibration
from synfiqa.fiqa_train.labels.label_totals import LabelTotals
from synfiqa.fiqa_train.labels.parts import label_digest, shard_of
from synfiqa.jobs.report_page.fusion import Fusion, fusion
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import JobFailed
from synfiqa.schemas.evaluation import OtherVersion, ResultFile, parse
from synfiqa.schemas.factors import FACTORS
from synfiqa.schemas.factors.factor import Factor
from synfiqa.schemas.manifest import Commit, DeadRow, RunManifest
from synfiqa.schemas.recipe import Expression
from synfiqa.schemas.rows import LABELS, SCORE_PREFIX

SHARD_LIMIT = 32
"""Most shards, and most ledger units, that are opened; a run has any number of them."""

BYTE_LIMIT = 256 * 2**20
"""Most bytes of shards that are opened, unless one alone is larger."""

EXPRESSIONS = tuple(Expression.model_fields)


def drawn_columns(row: Factor) -> tuple[str, ...]:
    """Return the columns that a factor is drawn from: its own, or those of its severity where it has no axis."""
    computed = row.shown is None and row.range is not None and row.severities
    return row.severities[0].columns if computed else (row.column,)


_COLUMNS = (
    "sample_id",
    "identity",
    "kind",
    "index",
    *dict.fromkeys((*(column for row in FACTORS for column in drawn_columns(row)), *EXPRESSIONS)),
    "template",
    "prompt",
    "recognition",
    "vision_language",
)


@dataclass(frozen=True)
class Counts:
    """Exact counts of the run; planned = accepted + rejected + dead holds for candidates."""

    planned: int
    accepted: int
    rejected: int
    dead: int
    reasons: dict[str, int]
    references: int
    degraded: int
    shards: int
    shards_planned: int
    dead_samples: int
    rejected_samples: dict[str, int]
    first_dead: DeadRow | None

    @property
    def samples(self) -> int:
        """Committed images, references and degraded ones."""
        return self.references + self.degraded


def count(store: ShardStore, commits: Committed, manifest: RunManifest) -> Counts:
    """Return the counts that the commits of a run record."""
    shards = list(commits.shards.values())
    total = summarise(list(commits.units.values()), shards)
    damaged = next((commit for commit in shards if commit.counts.get("dead", 0)), None)
    return Counts(
        planned=total.planned,
        accepted=total.accepted,
        rejected=sum(total.rejected.values()),
        dead=total.dead,
        reasons=total.rejected,
        references=total.references,
        degraded=total.samples - total.references,
        shards=total.shards,
        shards_planned=planned_shards(manifest),
        dead_samples=total.samples_dead,
        rejected_samples=total.samples_rejected,
        first_dead=next(row for row in store.dead_rows(damaged) if not row.reason) if damaged else None,
    )


def read_json(storage: Storage, path: str) -> dict | None:
    """Return a JSON object of the run folder, None when there is none; JobFailed when it is damaged."""
    if not storage.exists(path):
        return None
    try:
        content = json.loads(storage.read(path))
    except ValueError as error:
        raise JobFailed(f"{storage.uri(path)} is not JSON; delete it and run the job that writes it again") from error
    if not isinstance(content, dict):
        raise JobFailed(f"{storage.uri(path)} holds no JSON object; delete it and run the job that writes it again")
    return content


def read_result[R: ResultFile](storage: Storage, path: str, kind: type[R]) -> R | None:
    """Return a result file of the run, None when there is none.

    OtherVersion when it is of another version; JobFailed with the remedy when it is damaged.
    """
    content = read_json(storage, path)
    if content is None:
        return None
    try:
        return parse(kind, content)
    except OtherVersion:
        raise
    except ValueError as error:
        raise JobFailed(
            f"{storage.uri(path)} is not of this version of synfiqa ({error}); delete it and run its job again"
        ) from error


def spread[T](items: Sequence[T], count: int) -> list[T]:
    """Return at most `count` items, evenly spaced over the sequence and always the same ones."""
    if len(items) <= count:
        return list(items)
    return [items[index * len(items) // count] for index in range(count)]


def opened(commits: Committed) -> list[Commit]:
    """Return the shards that the report opens: all of a small run, an even selection of a large one."""
    shards = list(commits.shards.values())
    mean = sum(commit.file.bytes for commit in shards) / max(len(shards), 1)
    return spread(shards, max(1, min(SHARD_LIMIT, int(BYTE_LIMIT / max(mean, 1)))))


def opened_units(commits: Committed) -> list[Commit]:
    """Return the ledger units that the report opens: all of a small run, an even selection of a large one."""
    return spread(list(commits.units.values()), SHARD_LIMIT)


def sample_frame(
    store: ShardStore, commits: Sequence[Commit], plugged: Sequence[Factor] = (), scorers: Sequence[str] = ()
) -> pd.DataFrame:
    """Return factors and raw label components of the samples in these shards, one row each, with their `shard`.

    `plugged` are the rows of plug-ins, `scorers` are `models.scorers`.
    """
    columns = [*_COLUMNS, *(row.column for row in plugged), *(SCORE_PREFIX + name for name in scorers)]
    frames = [store.read(commit, columns).to_pandas().assign(shard=commit.number) for commit in commits]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[*columns, "shard"])


def sample_images(store: ShardStore, commits: Committed, samples: pd.DataFrame) -> dict[str, bytes]:
    """Return the encoded image of each row (columns `sample_id` and `shard`); reads one shard at a time."""
    images: dict[str, bytes] = {}
    for shard in samples["shard"].unique().tolist():
        wanted = pa.array(samples.loc[samples["shard"] == shard, "sample_id"].unique(), pa.string())
        table = store.read(commits.shards[shard], ["sample_id", "image"])
        chosen = table.filter(pc.is_in(table["sample_id"], value_set=wanted))
        images.update(
            zip(chosen["sample_id"].to_pylist(), (row["bytes"] for row in chosen["image"].to_pylist()), strict=True)
        )
    return images


@dataclass(frozen=True)
class LabelPass:
    """One label pass of the run: rows of the shards that are opened, totals of all, and the fusion.

    `dataset` is the digest of the labelled dataset, `digest` that of all label files.
    """

    name: str
    rows: pd.DataFrame
    totals: LabelTotals
    fusion: Fusion
    dataset: str
    digest: str


def read_label_pass(config: RunConfig, storage: Storage, shards: Sequence[Commit]) -> LabelPass | None:
    """Return the labels that the config names, with rows of these shards, or None when there are none yet."""
    calibration = read_calibration(storage, config.label.name)
    if calibration is None:
        return None
    columns, wanted = ["sample_id", "spatial", "quality", "group"], {commit.number for commit in shards}
    totals, opened_rows = LabelTotals(), [LABELS.empty_table().select(columns)]
    tables = label_tables(storage, calibration, columns)
    for part, table in zip(calibration.parts, tables, strict=True):
        totals.add(table)
        if shard_of(part) in wanted:
            opened_rows.append(table)
    return LabelPass(
        name=config.label.name,
        rows=pa.concat_tables(opened_rows).to_pandas(),
        totals=totals,
        fusion=fusion(calibration),
        dataset=calibration.dataset_sha256,
        digest=label_digest(calibration),
    )


def candidate_frame(store: ShardStore, units: Sequence[Commit], pictured: int) -> pd.DataFrame:
    """Return the candidates of these ledger units, one row each, every unit read once.

    Columns candidate, status, reason, value, attributes, and image: of the first `pictured` of a unit that were
    rejected for one reason, None of all others.
    """
    columns = ["candidate", "status", "reason", "value", "attributes", "image"]
    frames = []
    for commit in units:
        unit = store.read(commit, columns).to_pandas()
        shown = unit[unit["status"] == "rejected"].groupby("reason").head(pictured).index
        unit["image"] = unit["image"].where(unit.index.isin(shown), None)
        frames.append(unit)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
