"""The interface of `rasterize_meshes` on our renderer, and on PyTorch3D's own where it can be imported."""

import sys

import numpy as np
import pytest
import torch

from synfiqa.actors.generation.face_model.renderer import Pytorch3dRenderer, TorchRenderer, renderer_named
from synfiqa.schemas.errors import UserError


@pytest.fixture(params=["torch", "pytorch3d"])
def draw(request):
    if request.param == "pytorch3d":
        pytest.importorskip("pytorch3d")
    renderer = renderer_named(request.param)

    def draw(triangles, size):
        """Rasterise separate triangles (T, 3, 3); return face, depth and weights per pixel in numpy."""
        vertices = torch.tensor(np.array(triangles), dtype=torch.float32).reshape(1, -1, 3)
        found = renderer.rasterize(vertices, torch.arange(vertices.shape[1]).reshape(-1, 3), size)
        return (
            found.pix_to_face[0, :, :, 0].numpy(),
            found.zbuf[0, :, :, 0].numpy(),
            found.bary[0, :, :, 0].numpy(),
        )

    draw.renderer = renderer
    return draw


def around(x, y, radius, z=1.0):
    return [[x - 2 * radius, y - radius, z], [x, y + 2.5 * radius, z], [x + 2 * radius, y - radius, z]]


def test_pixels_sample_their_centres_with_x_right_and_y_down(draw):
    # The centre of row 1, column 6 of 8 x 8 is ((2 * 6 + 1) / 8 - 1, (2 * 1 + 1) / 8 - 1).
    pix, zbuf, bary = draw([around(13 / 8 - 1, 3 / 8 - 1, 0.02)], 8)
    assert np.argwhere(pix >= 0).tolist() == [[1, 6]]
    assert (zbuf[pix < 0] == -1).all()
    assert (bary[pix < 0] == -1).all()


def test_points_on_an_edge_are_not_covered(draw):
    # Pixel centres of a 4 x 4 frame lie at +-0.25 and +-0.75: on all three edges of this triangle.
    pix, _, _ = draw([[[-0.75, -0.75, 1], [0.75, -0.75, 1], [-0.75, 0.75, 1]]], 4)
    assert np.argwhere(pix >= 0).tolist() == [[1, 1]]


def test_an_edge_through_pixel_centres_that_is_no_multiple_of_its_area_is_not_covered_either(draw):
    # The slanted edge passes through the centres of pixels (1, 2) and (2, 1) of 16 x 16.
    pix, _, _ = draw([[[-0.9375, -0.9375, 1], [-0.9375, -0.5625, 1], [-0.5625, -0.9375, 1]]], 16)
    assert np.argwhere(pix >= 0).tolist() == [[1, 1]]


def test_double_precision_is_taken_and_drawn_in_single(draw):
    vertices = torch.tensor([around(0.1, 0.2, 0.3)])
    single, double = (draw.renderer.rasterize(v, torch.tensor([[0, 1, 2]]), 16) for v in (vertices, vertices.double()))
    assert torch.equal(single.pix_to_face, double.pix_to_face)
    torch.testing.assert_close(single.bary, double.bary)


def test_back_faces_are_drawn(draw):
    triangle = np.array(around(0.1, -0.2, 0.2))
    front, back = draw([triangle], 32)[0], draw([triangle[::-1].copy()], 32)[0]
    assert (front >= 0).sum() > 50
    assert np.array_equal(front, back)


@pytest.mark.parametrize("depths", [(1.0, 2.0), (2.0, 1.0)])
def test_the_smallest_depth_wins(draw, depths):
    pix, zbuf, _ = draw([around(0, 0, 0.3, depth) for depth in depths], 16)
    assert set(pix[pix >= 0]) == {int(np.argmin(depths))}
    assert zbuf[pix >= 0] == pytest.approx(1.0)


def test_equal_depths_go_to_the_lowest_face(draw):
    pix, _, _ = draw([around(0, 0, 0.3)] * 5, 16)
    assert set(pix[pix >= 0]) == {0}


def test_weights_are_linear_on_the_screen_and_sum_to_one(draw):
    corners = np.array(around(0, 0, 0.35))
    corners[:, 2] = (1, 2, 9)
    pix, zbuf, bary = draw([corners], 64)
    row, column = np.nonzero(pix >= 0)
    weights = bary[row, column]
    assert len(weights) > 100
    assert weights.sum(1) == pytest.approx(np.ones(len(weights)), abs=1e-5)
    assert weights @ corners[:, 0] == pytest.approx((2 * column + 1) / 64 - 1, abs=1e-5)
    assert weights @ corners[:, 1] == pytest.approx((2 * row + 1) / 64 - 1, abs=1e-5)
    assert weights @ corners[:, 2] == pytest.approx(zbuf[row, column], abs=1e-4)


def test_nothing_nearer_than_the_near_plane_is_drawn(draw):
    behind, touching = np.array(around(0, 0, 0.5)), np.array(around(0, 0, 0.5))
    behind[0, 2], touching[1, 2] = -0.5, 0.0
    pix, _, _ = draw([behind, touching, around(0, 0, 0.5, 5.0)], 16)
    assert set(pix[pix >= 0]) == {2}


def test_triangles_without_area_are_skipped(draw):
    line = [[-0.5, -0.5, 1], [0, 0, 1], [0.5, 0.5, 1]]
    assert (draw([line], 8)[0] == -1).all()


def test_faces_count_on_over_the_batch(draw):
    vertices = torch.tensor([around(0, 0, 0.4), around(0, 0, 0.2)])
    pix = draw.renderer.rasterize(vertices, torch.tensor([[0, 1, 2], [0, 1, 2]]), 16).pix_to_face[..., 0]
    assert set(pix[0].unique().tolist()) == {-1, 0}
    assert set(pix[1].unique().tolist()) == {-1, 2}


def test_both_renderers_draw_the_same_head(flame_model, numbers):
    pytest.importorskip("pytorch3d")
    vertices = flame_model.geometry(numbers(2, 100), numbers(2, 50), numbers(2, 6, spread=0.3)) * 8
    vertices = vertices * torch.tensor([1.0, -1, -1]) + torch.tensor([0.0, 0, 10])
    ours, theirs = (r.rasterize(vertices, flame_model.faces, 128) for r in (TorchRenderer(), Pytorch3dRenderer()))
    same = ours.pix_to_face == theirs.pix_to_face
    assert same.float().mean() > 0.9995
    torch.testing.assert_close(ours.bary[same], theirs.bary[same], atol=1e-3, rtol=0)


def test_without_pytorch3d_the_error_names_the_way_out(monkeypatch):
    loaded = [name for name in sys.modules if name.startswith("pytorch3d.")]
    for name in ("pytorch3d", "pytorch3d.renderer.mesh", *loaded):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=r"install PyTorch3D .* or set the renderer to torch"):
        renderer_named("pytorch3d")


def test_pytorch3d_is_called_with_its_own_axes(monkeypatch):
    # Where PyTorch3D cannot be installed, this much of the wrapper is still checked: signs, arguments, packing.
    from types import SimpleNamespace

    seen = {}

    def rasterize_meshes(meshes, **options):
        seen.update(options, verts=meshes.verts, faces=meshes.faces)
        return torch.zeros(1), torch.ones(1), torch.full((1,), 2.0), None

    mesh = SimpleNamespace(rasterize_meshes=rasterize_meshes)
    monkeypatch.setitem(sys.modules, "pytorch3d", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "pytorch3d.renderer", SimpleNamespace(mesh=mesh))
    monkeypatch.setitem(sys.modules, "pytorch3d.renderer.mesh", mesh)
    structures = SimpleNamespace(Meshes=lambda verts, faces: SimpleNamespace(verts=verts, faces=faces))
    monkeypatch.setitem(sys.modules, "pytorch3d.structures", structures)
    vertices = torch.tensor([[[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]], dtype=torch.float64).expand(2, -1, -1)
    found = Pytorch3dRenderer().rasterize(vertices, torch.tensor([[0, 1, 2]]), 64)
    assert seen["verts"][1, 0].tolist() == [-1, -2, 3]
    assert seen["verts"].dtype == torch.float32
    assert seen["faces"].shape == (2, 1, 3)
    assert (seen["image_size"], seen["blur_radius"], seen["faces_per_pixel"]) == (64, 0.0, 1)
    assert seen["perspective_correct"] is False
    assert (found.pix_to_face, found.zbuf, found.bary) == (0, 1, 2)
