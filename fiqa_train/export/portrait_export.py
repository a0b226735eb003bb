"""Export of a run's portraits in the folder layout of GFIQA-20k; the folder is complete or absent."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from synfiqa.actors.quality.measures.portrait_measures import DEFAULT_MEASURE
from synfiqa.cluster.pipeline.shard_tasks import ShardTasks
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.export.dataset_card import portraits_card
from synfiqa.fiqa_train.export.layouts import CARD
from synfiqa.fiqa_train.export.shard_export import write_files
from synfiqa.fiqa_train.export.whole_folder import require_free, whole_folder
from synfiqa.fiqa_train.portraits.gfiqa_layout import Entry, entry_of, portrait_files, split_files
from synfiqa.fiqa_train.portraits.portrait_item import landmark_fault, require_different_scores
from synfiqa.fiqa_train.portraits.run_portraits import RunPortraits, Shard, run_portraits
from synfiqa.schemas.config.cluster import ResilienceSection

_DEFAULT_RESILIENCE = ResilienceSection()


@dataclass(frozen=True)
class PortraitCounts:
    """Portraits written, and those left out because a landmark lies far outside the picture."""

    written: int
    left_out: int

    @property
    def sentence(self) -> str:
        """Return the counts in words."""
        return f"{self.written} portraits, {self.left_out} left out whose face is cut off by the frame"


@dataclass(frozen=True)
class ExportedPortraits:
    """What one shard adds: the entries of its images, and the files that are not written yet, by path."""

    entries: tuple[Entry, ...]
    left_out: int
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class PortraitExport:
    """Exports shards of a run to a folder of the driver's machine."""

    portraits: RunPortraits
    folder: Path

    def __call__(self, shard: Shard) -> ExportedPortraits:
        """Make the files of a shard and write them where the folder is seen; on other machines they are returned.

        Portraits with a landmark far outside, which no reader of the layout takes, are left out.
        """
        here = self.folder.is_dir()
        entries: list[Entry] = []
        files: dict[str, bytes] = {}
        left_out = 0
        for item in self.portraits.items(shard):
            if landmark_fault(item.landmarks, item.image.shape[1], item.image.shape[0]):
                left_out += 1
                continue
            made = portrait_files(item)
            if here:
                write_files(self.folder, made)
            else:
                files.update(made)
            entries.append(entry_of(item))
        return ExportedPortraits(tuple(entries), left_out, files)


def run_portrait_export(
    storage: Storage,
    out: Path,
    score: str = DEFAULT_MEASURE,
    label_name: str = "default",
    resilience: ResilienceSection = _DEFAULT_RESILIENCE,
) -> PortraitCounts:
    """Write the portraits of a run below `out`, degraded and scored; return how many are written and left out.

    The layout is that of `synfiqa.fiqa_train.portraits.gfiqa_layout`, with a `README.md`, the dataset card. Equal runs
    give equal bytes. UserError when `out` exists and is not an empty folder, the run keeps no portraits or has no such
    score, or all scores are equal.
    """
    out = out.expanduser().absolute()
    manifest = load_run(storage)
    portraits = run_portraits(storage, score, label_name)
    require_free(out)
    with whole_folder(out) as folder:
        entries: list[Entry] = []
        left_out = 0
        # A shard a task, since its files may travel to this machine.
        tasks = ShardTasks("export", storage, resilience, most_shards=1)
        for shard in tasks.map(PortraitExport(portraits, folder), portraits.shards):
            write_files(folder, shard.files)
            entries += shard.entries
            left_out += shard.left_out
        require_different_scores((entry.score for entry in entries), f"the portraits of {storage.uri()}")
        texts = split_files(entries) | {CARD: portraits_card(manifest, len(entries), portraits.score.description)}
        write_files(folder, {path: text.encode() for path, text in texts.items()})
    return PortraitCounts(len(entries), left_out)
