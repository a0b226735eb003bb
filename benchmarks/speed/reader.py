"""Measure the reader of training faces beside webdataset, Hugging Face datasets, litdata and MDS, on the same images.

`python -m benchmarks.speed.reader` prints images per CPU-second of each in one process: every reader hands out shuffled
encoded images, alone ("bytes"), decoded to luma by our decoder, and decoded and augmented with our defaults, in batches
of 64. Ours always decodes; it is measured streamed and from memory. The images are rendered heads of 112 x 112, stored
as JPEG. webdataset, litdata and mosaicml-streaming are taken from an environment of their own: `uv venv /tmp/peers`,
install them there, and put its site-packages on PYTHONPATH. One that is not installed is named and left out. The best
of the rounds counts, because noise only adds.
"""

import argparse
import importlib
import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import batched, islice
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from synfiqa.actors.degradation.recipe_sampler import candidate_recipe
from synfiqa.actors.face3d import HeadRenderer, sample_identity
from synfiqa.actors.imaging.codec import encode_jpeg
from synfiqa.fiqa_train.training.reading.augment import augment, draws
from synfiqa.fiqa_train.training.reading.decode import decode_face
from synfiqa.fiqa_train.training.reading.reader import TrainingReader
from synfiqa.fiqa_train.training.reading.sources.parquet_files import ParquetFiles
from synfiqa.schemas.config.train_data import AugmentSection

BATCH, SHARD, BUFFER = 64, 500, 5_000
"""Images of a batch, of a shard of all formats, and of the shuffle buffers of the peers that have one."""
PLAIN = AugmentSection(
    mirror=0, geometry=0, gamma=0, contrast=0, gain=0, black_lift=0, saturation=0, white_balance=0, texture=0
)

Rows = Callable[[], Iterable[bytes]]
"""What returns the encoded images of an epoch in a shuffled order."""


def images(count: int) -> list[bytes]:
    """Return so many JPEG files of 80 rendered heads, each in several qualities of storage."""
    renderer, heads = HeadRenderer(), min(80, count)
    shown = [renderer.render(sample_identity(seed), [candidate_recipe(seed)], 112).images[0] for seed in range(heads)]
    return [encode_jpeg(shown[number % heads], 60 + number // heads % 36) for number in range(count)]


def parquet(folder: Path, data: list[bytes]) -> Rows:
    """Write Parquet files with a row group each, the format of ours and of Hugging Face datasets."""
    import datasets

    folder.mkdir()
    for number, part in enumerate(batched(data, SHARD)):
        table = pa.table({"image": list(part), "identity": [number] * len(part)})
        pq.write_table(table, folder / f"{number:05d}.parquet", write_page_checksum=True)
    datasets.disable_progress_bars()
    rows = datasets.load_dataset(
        "parquet", data_files=str(folder / "*.parquet"), split="train", streaming=True
    ).select_columns(["image"])
    return lambda: (row["image"] for row in rows.shuffle(seed=0, buffer_size=BUFFER))


def webdataset(folder: Path, data: list[bytes]) -> Rows:
    """Write tar files."""
    wds = importlib.import_module("webdataset")
    folder.mkdir()
    with wds.ShardWriter(str(folder / "%05d.tar"), maxcount=SHARD, verbose=0) as writer:
        for number, image in enumerate(data):
            writer.write({"__key__": f"{number:08d}", "jpg": image, "cls": str(number % 100).encode()})
    files = sorted(map(str, folder.glob("*.tar")))
    return lambda: (
        row["jpg"] for row in wds.WebDataset(files, shardshuffle=len(files), empty_check=False).shuffle(BUFFER)
    )


def litdata(folder: Path, data: list[bytes]) -> Rows:
    """Write chunks of litdata."""
    writer_module = importlib.import_module("litdata.streaming.writer")
    streaming = importlib.import_module("litdata")
    folder.mkdir()
    writer = writer_module.BinaryWriter(str(folder), chunk_size=SHARD)
    for number, image in enumerate(data):
        writer.add_item(number, {"image": image, "identity": number % 100})
    writer.done()
    writer.merge()
    return lambda: (row["image"] for row in streaming.StreamingDataset(str(folder), shuffle=True))


def mds(folder: Path, data: list[bytes]) -> Rows:
    """Write shards of mosaicml-streaming."""
    streaming = importlib.import_module("streaming")
    with streaming.MDSWriter(
        out=str(folder), columns={"image": "bytes", "identity": "int"}, size_limit=SHARD * len(data[0])
    ) as writer:
        for number, image in enumerate(data):
            writer.write({"image": image, "identity": number % 100})
    streaming.base.util.clean_stale_shared_memory()
    dataset = streaming.StreamingDataset(local=str(folder), shuffle=True, batch_size=BATCH)
    return lambda: (row["image"] for row in dataset)


PEERS: dict[str, tuple[str, Callable[[Path, list[bytes]], Rows]]] = {
    "HF datasets": ("datasets", parquet),
    "webdataset": ("webdataset", webdataset),
    "litdata": ("litdata", litdata),
    "MDS": ("streaming", mds),
}
"""Name, module and writer of each peer."""


def decoded(rows: Iterable[bytes]) -> Iterator[torch.Tensor]:
    """Yield batches of luma float32."""
    for part in batched(rows, BATCH):
        yield torch.from_numpy(np.stack([decode_face(data, "gray") for data in part])).float()


def augmented(rows: Iterable[bytes]) -> Iterator[torch.Tensor]:
    """Yield batches of augmented luma float32."""
    section = AugmentSection()
    for number, part in enumerate(batched(rows, BATCH)):
        batch = np.empty((len(part), 112, 112), np.float32)
        for data, draw, out in zip(part, draws(len(part), number), batch, strict=True):
            augment(decode_face(data, "gray"), draw, section, out)
        yield torch.from_numpy(batch)


def _batches(work: Callable[[Iterable[bytes]], Iterator[torch.Tensor]], rows: Rows) -> Iterator[torch.Tensor]:
    return work(rows())


def pace(epoch: Callable[[], Iterable[object]]) -> float:
    """Return images per CPU-second of one epoch."""
    begin = time.process_time()
    count = sum(len(row) if isinstance(row, torch.Tensor) else 1 for row in epoch())
    return count / (time.process_time() - begin)


def ours(folder: Path, kept: bool, section: AugmentSection) -> Callable[[], Iterable[object]]:
    """Return an epoch of our reader over Parquet files; from memory, its set is read before."""
    source = ParquetFiles.of("faces", str(folder))
    reader = TrainingReader(
        [source],
        channels="gray",
        batch_size=BATCH,
        seed=0,
        rank=0,
        world=1,
        augment=section,
        cache_rows=10**9 if kept else 0,
        window_shards=BUFFER // SHARD,
    )
    if kept:
        list(islice(reader.batches(0), 1))
    return lambda: (batch.images for batch in reader.batches(1))


def measured(count: int, rounds: int, folder: Path) -> dict[str, dict[str, float]]:
    """Return the pace of every reader by kind of work."""
    data = images(count)
    ways: dict[str, dict[str, Callable[[], Iterable[object]]]] = {}
    for name, (module, write) in PEERS.items():
        try:
            if importlib.util.find_spec(module) is None:
                raise ModuleNotFoundError(f"No module named {module!r}")
            importlib.import_module(module)
        except ImportError as error:
            print(f"{name} is left out: {error}")
            continue
        rows = write(folder / module, data)
        ways[name] = {
            "bytes": rows,
            "decoded": partial(_batches, decoded, rows),
            "augmented": partial(_batches, augmented, rows),
        }
    files = folder / PEERS["HF datasets"][0]
    for name, kept in (("ours, streamed", False), ("ours, from memory", True)):
        ways[name] = {"decoded": ours(files, kept, PLAIN), "augmented": ours(files, kept, AugmentSection())}
    best: dict[str, dict[str, float]] = {name: {} for name in ways}
    for _ in range(rounds):
        for name, works in ways.items():
            for work, epoch in works.items():
                best[name][work] = max(best[name].get(work, 0.0), pace(epoch))
    return best


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory(prefix="synfiqa-bench-") as folder:
        best = measured(options.images, options.rounds, Path(folder))
    print(f"{options.images:,} images, images per CPU-second, best of {options.rounds}")
    print(f"{'':<20}{'bytes':>10}{'decoded':>10}{'augmented':>11}")
    for name, works in best.items():
        shown = [f"{works[work]:>{width},.0f}" if work in works else f"{'-':>{width}}" for work, width in _COLUMNS]
        print(f"{name:<20}{''.join(shown)}")


_COLUMNS = (("bytes", 10), ("decoded", 10), ("augmented", 11))


if __name__ == "__main__":
    main()
