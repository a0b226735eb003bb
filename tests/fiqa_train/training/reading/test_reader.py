"""Batches of a training: each face once, equal for any number of ranks, resumed, read ahead; errors in their place."""

import threading
import time

import numpy as np
import pytest
import torch

from synfiqa.fiqa_train.training.reading.decode import decode_face
from synfiqa.schemas.config.train_data import AugmentSection
from synfiqa.schemas.errors import JobFailed, UserError
from tests.fiqa_train.training.reading.fake_source import FakeSource, image, numbers, over_ranks, reader

SOURCE = FakeSource(rows=(9, 4, 13) * 20)
STREAMED, KEPT = 0, 10_000
BOTH = pytest.mark.parametrize("cache_rows", [STREAMED, KEPT], ids=["streamed", "kept"])


@BOTH
def test_an_epoch_has_each_face_at_most_once_and_nearly_all(cache_rows):
    one = reader([SOURCE], cache_rows=cache_rows)
    found = numbers(one.batches(0))
    assert len(set(found)) == len(found) == 16 * one.steps(0)
    assert sum(SOURCE.rows) - 16 < len(found)


@BOTH
def test_every_face_carries_its_own_pixels_label_and_class(cache_rows):
    for batch in reader([SOURCE], cache_rows=cache_rows).batches(0):
        for pixels, quality, number in zip(batch.images.numpy(), batch.quality, batch.classes, strict=True):
            np.testing.assert_array_equal(pixels, decode_face(image(int(quality)), "gray"))
            assert number == int(quality) // 1000


@BOTH
@pytest.mark.parametrize("channels", ["gray", "rgb"])
@pytest.mark.parametrize("world", [2, 4, 8])
def test_the_batches_over_all_ranks_do_not_depend_on_their_number(cache_rows, channels, world):
    changes = {"cache_rows": cache_rows, "channels": channels, "augment": AugmentSection(cutout=0.5, blur=0.5)}
    alone, together = (over_ranks([SOURCE], count, **changes) for count in (1, world))
    for field in ("images", "quality", "classes"):
        np.testing.assert_array_equal(alone[field], together[field])


@pytest.mark.parametrize("lanes", [1, 3, 5])
def test_ranks_may_be_more_than_lanes(lanes):
    alone, together = (over_ranks([SOURCE], count, lanes=lanes)["quality"] for count in (1, 8))
    np.testing.assert_array_equal(alone, together)


@BOTH
def test_a_number_of_ranks_that_does_not_divide_the_batch_makes_it_smaller(cache_rows):
    found = over_ranks([SOURCE], 3, cache_rows=cache_rows)["quality"]
    assert len(found) % 15 == 0
    assert len(set(found.tolist())) == len(found)


@BOTH
@pytest.mark.parametrize("first", [1, 17, 31, 32])
def test_a_resumed_epoch_goes_on_with_the_same_batches(cache_rows, first):
    changes = {"cache_rows": cache_rows, "augment": AugmentSection()}
    whole = list(reader([SOURCE], **changes).batches(2))
    assert len(whole) == 32
    resumed = list(reader([SOURCE], **changes).batches(2, first))
    assert len(resumed) == len(whole) - first
    for one, other in zip(whole[first:], resumed, strict=True):
        torch.testing.assert_close(one.images, other.images, rtol=0, atol=0)
        torch.testing.assert_close(one.quality, other.quality, rtol=0, atol=0)


@BOTH
def test_order_and_changes_depend_on_seed_and_epoch_but_not_on_threads(cache_rows):
    def pixels(epoch=0, **changes):
        arguments = {"cache_rows": cache_rows, "augment": AugmentSection(), "batch_size": 64} | changes
        return np.concatenate([batch.images.numpy() for batch in reader([SOURCE], **arguments).batches(epoch)])

    first = pixels()
    np.testing.assert_array_equal(first, pixels(threads=4))
    assert not np.array_equal(first, pixels(epoch=1))
    assert not np.array_equal(first, pixels(seed=6))


def test_rgb_batches_have_three_planes():
    batch = next(reader([SOURCE], channels="rgb").batches(0))
    assert batch.images.shape == (16, 3, 112, 112)
    assert batch.images.dtype == torch.float32
    expected = decode_face(image(int(batch.quality[0])), "rgb").transpose(2, 0, 1)
    np.testing.assert_array_equal(batch.images[0].numpy(), expected)


@BOTH
def test_a_weight_decides_how_much_of_a_source_an_epoch_has(cache_rows):
    sources = [
        FakeSource(rows=(8,) * 40),
        FakeSource(rows=(8,) * 40, name="half", weight=0.5, first=100),
        FakeSource(rows=(8,) * 4, name="thrice", weight=3, first=200),
    ]
    found = np.array(numbers(reader(sources, cache_rows=cache_rows).batches(0)))
    of = found % 1000 // 100
    assert len(found) == 8 * (40 + 20 + 12)
    assert np.bincount(of).tolist() == [320, 160, 96]
    assert np.unique(found[of < 2], return_counts=True)[1].max() == 1
    assert set(np.unique(found[of == 2], return_counts=True)[1]) == {3}


def test_classes_are_numbered_over_all_sources_and_weak_ones_reported():
    sources = [FakeSource(rows=(8, 1, 9)), FakeSource(rows=(7, 1), name="more", first=500)]
    one = reader(sources)
    assert one.classes == 5
    assert one.class_counts.counts.tolist() == [8, 1, 9, 7, 1]
    assert one.class_counts.names[3] == "more/0"
    (remark,) = one.class_counts.remarks()
    assert remark.startswith("2 of 5 identities have one training image, such as fake/1")
    seen = {(int(q), int(c)) for b in one.batches(0) for q, c in zip(b.quality, b.classes, strict=True)}
    assert all(number == quality // 1000 + (3 if quality % 1000 >= 500 else 0) for quality, number in seen)


def test_a_single_identity_is_reported_and_many_images_of_many_are_not():
    (remark,) = reader([FakeSource(rows=(40,))]).class_counts.remarks()
    assert remark.startswith("all training images are of one identity, fake/0")
    assert reader([SOURCE]).class_counts.remarks() == []


@BOTH
def test_a_damaged_image_is_named_in_the_step_that_has_it(cache_rows):
    with pytest.raises(UserError, match=r"training source 'fake': the image face-7003 cannot be read"):
        list(reader([FakeSource(rows=(9, 4, 13) * 20, broken=7003)], cache_rows=cache_rows).batches(0))
    assert _threads() == []


def test_the_batches_before_a_damaged_image_are_yielded():
    before = 10
    order = numbers(reader([SOURCE]).batches(0))
    damaged = order[16 * before + 3]
    batches = reader([FakeSource(rows=SOURCE.rows, broken=damaged)]).batches(0)
    assert numbers(next(batches) for _ in range(before)) == order[: before * 16]
    with pytest.raises(UserError, match=f"face-{damaged} cannot be read"):
        next(batches)


def test_a_name_that_stands_twice_is_named():
    with pytest.raises(UserError, match="the image same stands twice"):
        list(reader([FakeSource(rows=(9,) * 20, twice=4)]).batches(0))


def test_two_sources_of_one_name_are_refused():
    with pytest.raises(UserError, match="two training sources have the name 'fake'"):
        reader([SOURCE, SOURCE])


class Shrunk(FakeSource):
    """Has one face less in each piece than it lists."""

    def read(self, piece):
        return FakeSource(tuple(rows - 1 for rows in self.rows)).read(type(piece)(piece.rows - 1, piece.place))


def test_a_piece_of_another_size_than_listed_is_an_error():
    with pytest.raises(JobFailed, match="has 8 of 9 images in a part"):
        list(reader([Shrunk(rows=(9,) * 20)]).batches(0))


def test_too_few_images_are_refused_with_the_remedy():
    assert reader([FakeSource(rows=(5,))], batch_size=32, world=2).steps(0) == 1
    with pytest.raises(UserError, match=r"5 training images .* lower train\.workers"):
        reader([FakeSource(rows=(5,))], batch_size=32, world=3).steps(0)


def _threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("training-")]


@pytest.mark.parametrize("end", ["exhausted", "closed iterator", "closed reader", "dropped"])
def test_threads_end_with_the_batches(end):
    one = reader([SOURCE], threads=2)
    batches = one.batches(0)
    next(batches)
    assert _threads()
    if end == "exhausted":
        assert len(list(batches)) == 31
    elif end == "closed iterator":
        batches.close()
    elif end == "closed reader":
        one.close()
        assert len(list(batches)) < 31
    else:
        del batches
    assert _threads() == []


class Slow(FakeSource):
    """Takes a twentieth of a second to read a piece."""

    def read(self, piece):
        time.sleep(0.05)
        return super().read(piece)


def test_the_wait_for_data_is_counted_and_hidden_behind_the_step():
    """80 pieces of 50 ms by 4 threads take a second; a step that takes longer than its share waits for the start."""
    source = Slow(rows=(2,) * 80)
    busy, idle = (reader([source], batch_size=2, window_shards=8) for _ in range(2))
    list(idle.batches(0))
    for _ in busy.batches(0):
        time.sleep(0.02)
    assert idle.waited_s > 0.8
    assert busy.waited_s < 0.5 * idle.waited_s


def test_few_pieces_are_read_ahead():
    read = []

    class Counted(FakeSource):
        def read(self, piece):
            read.append(piece.place)
            return super().read(piece)

    batches = reader([Counted(rows=(16,) * 400)], window_shards=64).batches(0)
    next(batches)
    time.sleep(0.3)
    assert len(read) <= 2 * 64 + 16, "the windows in use and the next ones"
    batches.close()


def test_pinned_memory_is_taken_where_cuda_is():
    batch = next(reader([SOURCE], pinned=True).batches(0))
    assert batch.images.is_pinned() == torch.cuda.is_available()
