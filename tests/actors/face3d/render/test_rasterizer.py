"""Every rule of the rasteriser's interface, and agreement with a float64 loop."""

import numpy as np
import pytest
import torch

from benchmarks.quality.face_bars import double_precision
from synfiqa.actors.face3d.render import rasterizer
from synfiqa.actors.face3d.render.rasterizer import depth_maps, rasterize, rasterize_hits


def draw(triangles, height, width=None, **options):
    """Rasterise separate triangles (T, 3, 3) as one image; return flat numpy results."""
    verts = torch.tensor(np.array(triangles), dtype=torch.float32).reshape(1, -1, 3)
    faces = torch.arange(verts.shape[1]).reshape(-1, 3)
    out = rasterize(verts, faces, height, width or height, **options)
    return out.pix_to_face[0, :, :, 0].numpy(), out.zbuf[0, :, :, 0].numpy(), out.bary[0, :, :, 0].numpy()


def around(x, y, radius, z=1.0):
    """A triangle of the given inradius around a point."""
    return [[x - 2 * radius, y - radius, z], [x, y + 2.5 * radius, z], [x + 2 * radius, y - radius, z]]


def test_pixel_centres():
    # 8 x 4 pixels: the centre of row 1, column 5 is ((2*5+1)/8-1, (2*1+1)/4-1)
    pix, _, _ = draw([around(11 / 8 - 1, 3 / 4 - 1, 0.02)], 4, 8)
    assert pix[1, 5] == 0
    assert (pix >= 0).sum() == 1


def test_empty_pixels_are_minus_one():
    pix, z, bary = draw([around(0.125, 0.125, 0.01)], 8)
    empty = pix < 0
    assert empty.sum() == 63
    assert (pix[empty] == -1).all()
    assert (z[empty] == -1).all()
    assert (bary[empty] == -1).all()


def test_edges_are_strict():
    # a 4 x 4 frame has pixel centres at +-0.25 and +-0.75; this right triangle has them on all three edges
    pix, _, _ = draw([[[-0.75, -0.75, 1], [0.75, -0.75, 1], [-0.75, 0.75, 1]]], 4)
    assert (pix >= 0).sum() == 1
    assert pix[1, 1] == 0


@pytest.mark.parametrize("size", [4, 16, 64, 128])
def test_triangles_with_corners_on_pixel_centres_are_exact(size):
    """PyTorch3D's rule: an edge function, not divided by the area, must be positive; divided, it drew a quarter."""
    corners = np.random.default_rng(size).integers(0, size, (120, 3, 2))
    verts = np.concatenate([(2 * corners + 1) / size - 1, np.ones((120, 3, 1))], axis=2)
    pix = rasterize(torch.from_numpy(verts).float(), torch.tensor([[0, 1, 2]]), size, size).pix_to_face[..., 0] >= 0
    y, x = np.mgrid[:size, :size]
    edges = []
    for a, b in ((1, 2), (2, 0), (0, 1)):
        (ax, ay), (bx, by) = (
            corners[:, a, :, None, None].transpose(1, 0, 2, 3),
            corners[:, b, :, None, None].transpose(1, 0, 2, 3),
        )
        edges.append((bx - ax) * (y - ay) - (by - ay) * (x - ax))
    inside = np.all([edge > 0 for edge in edges], axis=0) | np.all([edge < 0 for edge in edges], axis=0)
    on_edge = (np.min(np.abs(edges), axis=0) == 0) & (pix.numpy() | ~inside)
    assert on_edge.sum() > 100
    np.testing.assert_array_equal(pix.numpy(), inside)


def test_vertex_order_does_not_matter_and_back_faces_are_drawn():
    triangle = np.array(around(0.1, -0.2, 0.2))
    front, _, _ = draw([triangle], 32)
    back, _, _ = draw([triangle[::-1].copy()], 32)
    assert (front >= 0).sum() > 50
    assert np.array_equal(front, back)


def test_culling_keeps_one_orientation():
    triangle = np.array(around(0, 0, 0.3))
    counts = [(draw([t.copy()], 32, cull_backfaces=True)[0] >= 0).sum() for t in (triangle, triangle[::-1])]
    assert sorted(counts)[0] == 0
    assert sorted(counts)[1] > 0


@pytest.mark.parametrize("order", [(1.0, 2.0), (2.0, 1.0)])
def test_nearest_wins(order):
    pix, z, _ = draw([around(0, 0, 0.3, order[0]), around(0, 0, 0.3, order[1])], 16)
    covered = pix >= 0
    assert (pix[covered] == int(np.argmin(order))).all()
    assert z[covered] == pytest.approx(1.0)


def test_crossing_faces_split_where_depths_cross():
    left = [[-0.9, -0.9, 1.0], [0.0, 0.9, 2.0], [0.9, -0.9, 3.0]]
    right = [[-0.9, -0.9, 3.0], [0.0, 0.9, 2.0], [0.9, -0.9, 1.0]]
    pix, _, _ = draw([left, right], 64)
    assert pix[20, 20] == 0
    assert pix[20, 43] == 1


def test_ties_go_to_the_lowest_face():
    pix, _, _ = draw([around(0, 0, 0.3)] * 5, 16)
    assert set(pix[pix >= 0]) == {0}


def test_degenerate_faces_are_skipped():
    line = [[-0.5, -0.5, 1], [0, 0, 1], [0.5, 0.5, 1]]
    tiny = [[0.125, 0.125, 1], [0.12505, 0.125, 1], [0.125, 0.12505, 1]]
    assert (draw([line, tiny], 8)[0] == -1).all()


def test_near_plane():
    behind = np.array(around(0, 0, 0.5))
    behind[0, 2] = -0.5
    touching = np.array(around(0, 0, 0.5))
    touching[1, 2] = 0.0
    assert (draw([behind, touching], 16)[0] == -1).all()


def test_not_finite_faces_are_skipped():
    bad = np.array(around(0, 0, 0.5))
    bad[0, 0] = np.nan
    pix, _, _ = draw([bad, around(0, 0, 0.2)], 16)
    assert set(np.unique(pix)) == {-1, 1}


def test_faces_beyond_the_frame_are_clipped():
    pix, _, _ = draw([[[-9, -9, 1], [0, 20, 1], [9, -9, 1]], [[5, 5, 1], [6, 6, 1], [5, 6, 1]]], 16)
    assert (pix == 0).all()


def test_bary_is_linear_and_sums_to_one():
    verts = np.array(around(0, 0, 0.35))
    verts[:, 2] = (1, 2, 3)
    pix, z, bary = draw([verts], 64)
    row, col = np.nonzero(pix >= 0)
    x, y = (2 * col + 1) / 64 - 1, (2 * row + 1) / 64 - 1
    w = bary[row, col]
    assert w.sum(1) == pytest.approx(np.ones(len(w)), abs=1e-6)
    assert np.abs(w @ verts[:, 0] - x).max() < 1e-6
    assert np.abs(w @ verts[:, 1] - y).max() < 1e-6
    assert np.abs(w @ verts[:, 2] - z[row, col]).max() < 1e-6


def test_batch_packs_face_indices_and_images_are_independent():
    rng = np.random.default_rng(0)
    verts = torch.tensor(rng.uniform(-1, 1, (3, 30, 3)) + np.array([0, 0, 2]), dtype=torch.float32)
    faces = torch.arange(30).reshape(10, 3)
    together = rasterize(verts, faces, 24, 20)
    assert together.pix_to_face.shape == (3, 24, 20, 1)
    assert together.bary.shape == (3, 24, 20, 1, 3)
    for i in range(3):
        alone = rasterize(verts[i : i + 1], faces, 24, 20)
        packed = torch.where(alone.pix_to_face >= 0, alone.pix_to_face + i * 10, -1)
        assert torch.equal(packed[0], together.pix_to_face[i])
        assert torch.equal(alone.zbuf[0], together.zbuf[i])
        assert torch.equal(alone.bary[0], together.bary[i])


@pytest.mark.parametrize(("seed", "height", "width"), [(0, 40, 40), (1, 33, 57)])
def test_agrees_with_double_precision_loop(seed, height, width):
    rng = np.random.default_rng(seed)
    centre = rng.uniform(-1, 1, (120, 1, 3)) * (1, 1, 0.5) + (0, 0, 2)
    verts = (centre + rng.normal(0, 0.12, (120, 3, 3))).reshape(-1, 3).astype(np.float32)
    faces = np.arange(360).reshape(-1, 3)
    out = rasterize(torch.from_numpy(verts)[None], torch.from_numpy(faces), height, width)
    pix, zbuf, bary = double_precision.draw(verts, faces, height, width)
    assert np.array_equal(out.pix_to_face[0, :, :, 0].numpy(), pix)
    assert np.abs(out.zbuf[0, :, :, 0].numpy() - zbuf).max() < 1e-4
    assert np.abs(out.bary[0, :, :, 0].numpy() - bary).max() < 1e-3


def test_gradients_reach_the_vertices():
    verts = torch.tensor([around(0, 0, 0.3)], requires_grad=True)
    out = rasterize(verts, torch.tensor([[0, 1, 2]]), 16, 16)
    out.zbuf[out.pix_to_face >= 0].sum().backward()
    assert verts.grad is not None
    assert verts.grad[..., 2].abs().sum() > 0


def test_no_faces():
    out = rasterize(torch.zeros(2, 3, 3), torch.zeros((0, 3), dtype=torch.int64), 4, 4)
    assert (out.pix_to_face == -1).all()


def heads(seed=0, count=3):
    """Overlapping faces of many sizes in several images."""
    rng = np.random.default_rng(seed)
    centre = rng.uniform(-1, 1, (count, 200, 1, 3)) * (1, 1, 0.5) + (0, 0, 2)
    size = rng.choice([0.01, 0.05, 0.4], (count, 200, 1, 1))
    verts = (centre + size * rng.normal(0, 1, (count, 200, 3, 3))).reshape(count, -1, 3)
    return torch.tensor(verts, dtype=torch.float32), torch.arange(600).reshape(-1, 3)


@pytest.mark.parametrize("culled", [False, True])
def test_tensors_run_the_same_code_on_other_devices(culled, monkeypatch):
    verts, faces = heads()
    on_cpu = rasterize(verts, faces, 48, 40, cull_backfaces=culled)
    monkeypatch.setattr(rasterizer, "_arrays", lambda verts, faces, cull: (verts.float(), faces, cull))
    as_tensors = rasterize(verts, faces, 48, 40, cull_backfaces=culled)
    assert torch.equal(on_cpu.pix_to_face, as_tensors.pix_to_face)
    assert torch.equal(on_cpu.zbuf, as_tensors.zbuf)
    assert torch.equal(on_cpu.bary, as_tensors.bary)


def test_hits_and_depth_maps_are_the_covered_pixels_of_fragments():
    verts, faces = heads(1)
    whole = rasterize(verts, faces, 48, 40)
    hits = rasterize_hits(verts, faces, 48, 40)
    assert torch.equal(hits.pixel, (whole.pix_to_face.view(-1) >= 0).nonzero().squeeze(1))
    assert torch.equal(hits.face, whole.pix_to_face.view(-1)[hits.pixel])
    assert torch.equal(hits.bary.T, whole.bary.view(-1, 3)[hits.pixel])
    depths = depth_maps(verts, faces, 48, 40).view(-1)
    assert torch.isinf(depths).sum() == depths.numel() - len(hits.pixel)
    assert torch.allclose(depths[hits.pixel], hits.depth, atol=1e-5)


@pytest.mark.parametrize("window", [(0, 0, 40, 48), (7, 11, 30, 40), (0, 20, 13, 48), (39, 47, 40, 48)])
def test_hits_in_a_window_are_those_of_the_whole_frame_inside_it(window):
    verts, faces = heads(2)
    whole, part = (rasterize_hits(verts, faces, 48, 40, window=each) for each in (None, window))
    left, top, right, bottom = window
    image, row, column = (whole.pixel // (48 * 40)), whole.pixel // 40 % 48, whole.pixel % 40
    inside = (row >= top) & (row < bottom) & (column >= left) & (column < right)
    place = ((image * (bottom - top) + row - top) * (right - left) + column - left)[inside]
    assert torch.equal(part.pixel, place)
    assert torch.equal(part.face, whole.face[inside])
    assert torch.equal(part.depth, whole.depth[inside])
    assert torch.equal(part.bary, whole.bary[:, inside])


def test_culling_can_select_single_faces():
    near, far = np.array([around(0, 0, 0.3, 1.0), around(0, 0, 0.3, 2.0)])
    seen_from_behind = (draw([near], 16, cull_backfaces=True)[0] < 0).all()
    both = [near, far] if seen_from_behind else [near[::-1], far[::-1]]
    for mask, left in (([True, False], 1), ([False, True], 0)):
        pix, _, _ = draw(both, 16, cull_backfaces=torch.tensor(mask))
        assert set(np.unique(pix)) == {-1, left}


def test_gradients_are_those_of_finite_differences():
    verts, faces = heads(2, 1)
    verts.requires_grad_(True)
    out = rasterize(verts, faces, 24, 24)
    (index,) = (out.pix_to_face.view(-1) >= 0).nonzero()[0]
    out.zbuf.view(-1)[index].backward()
    face = faces[out.pix_to_face.view(-1)[index]]
    assert verts.grad[0, face, 2] == pytest.approx(out.bary.view(-1, 3)[index].detach().numpy(), abs=1e-4)
