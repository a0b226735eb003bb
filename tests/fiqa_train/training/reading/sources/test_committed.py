"""Committed shards as a source: joined with labels by sample id, restricted to identities, pinned to their commits."""

import dataclasses
import shutil

import numpy as np
import pytest

from synfiqa.actors.imaging.codec import decode
from synfiqa.actors.nets.quality_net import to_gray
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.labels.label_pass import read_labels, require_calibration
from synfiqa.fiqa_train.labels.parts import pair_shards
from synfiqa.fiqa_train.training.reading.sources.committed import CommittedShards
from synfiqa.schemas.errors import JobFailed
from tests.fiqa_train.labelled_run import make_run
from tests.fiqa_train.training.reading.fake_source import reader

CHOSEN = frozenset({2, 7, 11})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    _config, storage = make_run(tmp_path_factory.mktemp("committed") / "run")
    calibration = require_calibration(storage, "default")
    store = ShardStore(storage, calibration.fingerprint)
    return storage, store, pair_shards(store.committed("samples").values(), calibration.parts)


def test_pieces_list_the_labels_of_the_chosen_identities_alone(run):
    storage, _, shards = run
    source = CommittedShards.of(storage, shards, CHOSEN)
    assert source.identities == {2: 8, 7: 8, 11: 8}
    assert [piece.rows for piece in source.pieces] == [8, 8, 8], "a shard without such an identity is no piece"


@pytest.mark.parametrize("cache_rows", [0, 1000])
def test_every_face_carries_its_own_label_and_pixels(run, cache_rows):
    storage, store, shards = run
    source = CommittedShards.of(storage, shards, CHOSEN)
    labels = read_labels(storage, "default")
    quality = dict(zip(labels["sample_id"].to_pylist(), labels["quality"].to_numpy(), strict=True))
    images = {row["sample_id"]: row["image"]["bytes"] for t in store.tables("samples") for row in t.to_pylist()}
    expected = {
        to_gray(decode(data)[None])[0].tobytes(): (quality[name], sorted(CHOSEN).index(int(name.split("/")[0])))
        for name, data in images.items()
        if name in quality and int(name.split("/")[0]) in CHOSEN
    }
    found = {
        pixels.numpy().astype(np.uint8).tobytes(): (pytest.approx(float(label)), int(number))
        for batch in reader([source], batch_size=8, cache_rows=cache_rows).batches(0)
        for pixels, label, number in zip(batch.images, batch.quality, batch.classes, strict=True)
    }
    assert len(found) == 24
    assert found == expected


def test_a_label_without_its_sample_is_an_error(run):
    storage, _, shards = run
    crossed = dataclasses.replace(shards[0], labels=shards[1].labels)
    source = CommittedShards.of(storage, [crossed], frozenset(range(12)))
    with pytest.raises(JobFailed, match="has a label but is not in its shard"):
        source.read(source.pieces[0])


def test_changed_bytes_of_a_shard_are_an_error(run, tmp_path):
    shutil.copytree(run[0].local(), tmp_path / "run")
    storage = Storage(str(tmp_path / "run"))
    calibration = require_calibration(storage, "default")
    commits = ShardStore(storage, calibration.fingerprint).committed("samples")
    source = CommittedShards.of(storage, pair_shards(commits.values(), calibration.parts), frozenset(range(12)))
    path = source.pieces[1].place.commit.file.path
    data = bytearray(storage.read(path))
    data[len(data) // 2] ^= 1
    storage.write(path, bytes(data))
    with pytest.raises(JobFailed, match="is damaged: its SHA-256 differs"):
        list(reader([source]).batches(0))


class Counted(dict):
    """Identities that count how often they are walked through."""

    walks = 0

    def __iter__(self):
        self.walks += 1
        return super().__iter__()


def test_a_piece_costs_its_own_rows_however_many_identities_there_are(run):
    """All identities were sorted and hashed for each shard: 7 CPU hours an epoch at a million of them."""
    storage, _, shards = run
    source = CommittedShards.of(storage, shards, frozenset(range(12)))
    counted = Counted(source.identities)
    many = dataclasses.replace(source, identities=counted)
    for piece in many.pieces:
        assert len(many.read(piece)) == 24
    assert counted.walks == 0
