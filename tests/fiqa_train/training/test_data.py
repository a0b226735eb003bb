"""Training data: joined by sample id, complete, equal per rank, reproducible, and augmentation that keeps the label."""

import dataclasses
import hashlib

import numpy as np
import pytest
import torch

from synfiqa.actors.imaging.codec import decode
from synfiqa.actors.nets.quality_net import to_gray
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.fiqa_train.labels.label_pass import read_labels, require_calibration
from synfiqa.fiqa_train.labels.parts import pair_shards
from synfiqa.fiqa_train.training.augment import augment
from synfiqa.fiqa_train.training.data import TrainingFaces, batch_plan, read_all, read_faces
from synfiqa.schemas.errors import JobFailed, UserError
from tests.fiqa_train.labelled_run import make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    _config, storage = make_run(tmp_path_factory.mktemp("data") / "run")
    store = ShardStore(storage, require_calibration(storage, "default").fingerprint)
    shards = pair_shards(store.committed("samples").values(), require_calibration(storage, "default").parts)
    return storage, store, shards


def faces_of(run, **changes):
    storage, _, shards = run
    arguments = {"identities": frozenset(range(12)), "rows": 96, "batch_size": 16, "seed": 0} | changes
    return TrainingFaces(storage, shards, **arguments)


def test_every_face_carries_its_own_label_and_pixels(run):
    storage, store, shards = run
    faces = read_all(storage, shards, frozenset({2, 7, 11}))
    assert len(faces) == 24
    assert set(faces.identity) == {2, 7, 11}
    labels = read_labels(storage, "default")
    quality = dict(zip(labels["sample_id"].to_pylist(), labels["quality"].to_pylist(), strict=True))
    np.testing.assert_allclose(faces.quality, [quality[name] for name in faces.sample_id])
    images = {row["sample_id"]: row["image"]["bytes"] for t in store.tables("samples") for row in t.to_pylist()}
    for gray, name in zip(faces.gray, faces.sample_id, strict=True):
        np.testing.assert_array_equal(gray, to_gray(decode(images[name])[None])[0])


def test_an_epoch_shows_each_face_at_most_once_over_all_ranks(run):
    for world in (1, 2, 3):
        ranks = [list(faces_of(run, rank=rank, world=world)) for rank in range(world)]
        assert {len(batches) for batches in ranks} == {96 // (16 // world * world)}, "equal batch counts"
        names = [name for batches in ranks for batch in batches for name in batch.sample_id]
        assert len(names) == len(set(names)) >= 96 - 16


def test_the_order_depends_on_seed_and_epoch_alone(run):
    def names(epoch, seed=0):
        faces = faces_of(run, seed=seed)
        faces.epoch = epoch
        return [name for batch in faces for name in batch.sample_id]

    assert names(3) == names(3)
    assert names(3) != names(4)
    assert names(3) != names(3, seed=1)
    assert sorted(names(3)) == sorted(names(4))


@pytest.mark.parametrize("world", [1, 2, 3, 6])
def test_a_streamed_set_has_equal_batches_and_misses_little(run, world):
    seen = set()
    for epoch in range(6):
        for rank in range(world):
            faces = faces_of(run, rank=rank, world=world, cache_rows=0)
            faces.epoch = epoch
            batches = list(faces)
            assert [len(batch) for batch in batches] == [faces.batch] * faces.steps
            seen |= {name for batch in batches for name in batch.sample_id}
    assert len(seen) == 96, "what an epoch leaves out, others show"


def test_a_streamed_epoch_is_reproducible(run):
    def names():
        return [name for batch in faces_of(run, cache_rows=0) for name in batch.sample_id]

    assert names() == names()


@pytest.mark.parametrize(
    ("cache_rows", "world", "expected"),
    [
        (0, 1, "a7e84ceabe72958b"),
        (0, 3, "1315ace363e9c7dd"),
        (30_000, 1, "b06bebfd370f381a"),
        (30_000, 3, "a1bc9893d9d3f281"),
    ],
)
def test_the_batches_of_a_seed_stay_what_they_were(run, cache_rows, world, expected):
    """Another order would make another model of the same seed; the digests are those of commit 4b992ca."""
    storage, _, shards = run
    chosen = frozenset({0, 2, 3, 5, 6, 7, 9, 11})
    own = read_all(storage, shards, chosen)
    row_of = {name: row for row, name in enumerate(own.sample_id)}
    order = hashlib.sha256()
    for rank in range(world):
        faces = faces_of(
            run, identities=chosen, rows=64, batch_size=12, seed=7, rank=rank, world=world, cache_rows=cache_rows
        )
        for epoch in range(3):
            faces.epoch = epoch
            for batch in faces:
                order.update(("|".join(batch.sample_id) + "\n").encode())
                wanted = own.take(np.array([row_of[name] for name in batch.sample_id]))
                for field in ("gray", "quality", "identity"):
                    np.testing.assert_array_equal(getattr(batch, field), getattr(wanted, field))
    assert order.hexdigest()[:16] == expected


class Counted(frozenset):
    """Identities that count how often they are walked through and looked up."""

    walks = 0
    lookups = 0

    def __iter__(self):
        self.walks += 1
        return super().__iter__()

    def __contains__(self, identity):
        self.lookups += 1
        return super().__contains__(identity)


@pytest.mark.parametrize("cache_rows", [0, 30_000])
def test_a_shard_costs_its_own_rows_however_many_identities_there_are(run, cache_rows):
    """All identities were sorted and hashed for each shard: 7 CPU hours an epoch at a million of them."""
    lookups = []
    for strangers in (0, 1000):
        identities = Counted({*range(12), *range(100, 100 + strangers)})
        faces = faces_of(run, identities=identities, cache_rows=cache_rows)
        assert len(list(faces)) == 6
        assert identities.walks == 0
        lookups.append(identities.lookups)
    assert lookups == [96, 96]


def test_few_images_are_refused_with_the_remedy():
    assert batch_plan(100, 32, 2) == (16, 3)
    assert batch_plan(5, 32, 2) == (2, 1)
    with pytest.raises(UserError, match=r"lower train\.workers"):
        batch_plan(5, 32, 3)


def test_a_label_without_its_sample_is_an_error(run):
    storage, _, shards = run
    crossed = dataclasses.replace(shards[0], labels=shards[1].labels)
    with pytest.raises(JobFailed, match="has a label but is not in its shard"):
        read_faces(storage, crossed, frozenset(range(12)))
    with pytest.raises(JobFailed, match="no committed shard"):
        pair_shards([shards[0].commit], [shards[1].labels])


def test_a_row_count_that_is_wrong_is_an_error(run):
    with pytest.raises(JobFailed, match="96 of 90"):
        list(faces_of(run, rows=90))


def test_augmentation_changes_every_face_a_little_and_repeats():
    gray = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (32, 112, 112))).float()
    first, again, other = (augment(gray, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    torch.testing.assert_close(first, again)
    assert not torch.equal(first, other)
    assert first.shape == gray.shape
    assert first.min() >= 0
    assert first.max() <= 255
    shifts = (first.mean(dim=(1, 2)) - gray.mean(dim=(1, 2))).abs()
    assert shifts.max() < 45, "no augmentation may turn a face dark or bright, which its label knows nothing of"


def test_half_of_the_faces_keep_all_their_detail():
    """Resampling blurs a little; if every face were resampled, the network could not learn what sharp means."""
    gray = torch.from_numpy(np.random.default_rng(0).normal(128, 20, (64, 112, 112))).float()

    def detail(images):
        return images.diff(dim=2).square().mean(dim=(1, 2)) / images.var(dim=(1, 2))

    kept = detail(augment(gray, torch.Generator().manual_seed(0))) > 0.9 * detail(gray)
    assert 0.3 < kept.float().mean() < 0.7
