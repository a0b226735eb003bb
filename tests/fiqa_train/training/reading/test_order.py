"""Order of an epoch: complete, mixed over many pieces, and a function of the seed."""

from itertools import pairwise

import numpy as np
import pytest

from synfiqa.fiqa_train.training.reading.order import Lanes, StreamedOrder, epoch_pieces


def order_of(rows, batch=64, lanes=8, window=64, seed=3):
    pieces = np.arange(len(rows))
    return StreamedOrder(np.array(rows), pieces, np.zeros_like(pieces), Lanes.of(batch, lanes), window, seed)


def shown(order):
    """Return (piece, row) of each lane in order."""
    found = []
    for lane in range(len(order.lanes.quotas)):
        own = []
        for window in order.windows(lane):
            segment, row = window.order(order.seed)
            own.extend((window.segments[s].piece, r) for s, r in zip(segment.tolist(), row.tolist(), strict=True))
        found.append(own)
    return found


@pytest.mark.parametrize(
    ("rows", "batch", "lanes"),
    [([13] * 200, 64, 8), ([3000, 5, 900], 50, 8), ([7] * 9, 6, 8), ([40] * 30, 100, 7), ([0, 0, 64], 64, 8)],
)
def test_every_lane_has_its_rows_of_each_step_and_no_row_stands_twice(rows, batch, lanes):
    order = order_of(rows, batch, lanes)
    own = shown(order)
    assert [len(rows) for rows in own] == [order.steps * quota for quota in order.lanes.quotas]
    every = [face for rows in own for face in rows]
    assert len(set(every)) == len(every) > sum(rows) - batch, "fewer than a batch are left out"
    assert all(row < rows[piece] for piece, row in every)


@pytest.mark.parametrize(("batch", "lanes", "quotas"), [(64, 8, (8,) * 8), (10, 4, (3, 3, 2, 2)), (3, 8, (1, 1, 1))])
def test_a_batch_is_divided_over_lanes_none_of_them_empty(batch, lanes, quotas):
    assert Lanes.of(batch, lanes).quotas == quotas
    assert Lanes.of(batch, lanes).batch == batch


def test_a_share_of_a_batch_names_lanes_and_rows():
    assert list(Lanes.of(10, 4).parts(0, 10)) == [(0, 0, 3), (1, 0, 3), (2, 0, 2), (3, 0, 2)]
    assert list(Lanes.of(10, 4).parts(2, 7)) == [(0, 2, 3), (1, 0, 3), (2, 0, 1)]


def test_at_any_time_64_pieces_and_512_identities_are_mixed():
    """Shards of 8 identities and 880 rows; 4 shards were mixed before, 32 identities."""
    order = order_of([880] * 300, batch=256)
    for lane in range(8):
        assert min(len(window.segments) for window in order.windows(lane)) >= 8
    quota = order.lanes.quotas[0]
    for step in (0, order.steps // 2, order.steps - 1):
        windows = [next(w for w in order.windows(lane) if step * quota < w.stop) for lane in range(8)]
        pieces = {segment.piece for window in windows for segment in window.segments}
        assert len(pieces) >= 64
        assert len(pieces) * 8 >= 500


def test_a_window_is_shuffled_over_all_of_its_pieces():
    """Neighbours in a lane are of one piece about as often as chance has it: 1 of 8."""
    own = shown(order_of([100] * 64, batch=64))[0]
    equal = np.mean([a[0] == b[0] for a, b in pairwise(own)])
    assert 0.05 < equal < 0.25


def test_the_order_depends_on_the_seed():
    rows = [20] * 100
    assert shown(order_of(rows, seed=1)) == shown(order_of(rows, seed=1))
    assert shown(order_of(rows, seed=1)) != shown(order_of(rows, seed=2))


def test_a_fraction_of_a_source_is_another_one_each_epoch_and_all_of_it_in_turn():
    epochs = [set(epoch_pieces([20], [0.25], 1, epoch)[0].tolist()) for epoch in range(4)]
    assert [len(pieces) for pieces in epochs] == [5, 5, 5, 5]
    assert set.union(*epochs) == set(range(20))


@pytest.mark.parametrize("weight", [0.1, 1 / 3, 0.7, 1.0])
def test_a_weight_up_to_one_has_a_piece_at_most_once_an_epoch(weight):
    total = 0
    for epoch in range(30):
        pieces, laps = epoch_pieces([17], [weight], 1, epoch)
        assert len(set(pieces.tolist())) == len(pieces)
        assert not laps.any()
        total += len(pieces)
    assert total == pytest.approx(17 * weight * 30, abs=1)


def test_a_weight_above_one_repeats_pieces_and_sources_are_numbered_on():
    pieces, laps = epoch_pieces([4, 10], [2.5, 0.5], 1, 0)
    counts = np.bincount(pieces, minlength=14)
    assert sorted(counts[:4].tolist()) == [2, 2, 3, 3]
    assert counts[4:].sum() == 5
    assert laps.max() == 2
