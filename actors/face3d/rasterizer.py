"""Exact z-buffer rasteriser in plain torch with the outputs of PyTorch3D's `rasterize_meshes` (one face per pixel).

Once per face, barycentrics and depth become planes over the pixels. Boxes around faces are cut into square tiles, and
all tiles of one size are asked together; what lies inside its face competes by depth for its pixel.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_EPS = 1e-8
_EMPTY = 2**63 - 1
_BITS = 32
_SMALL, _TILE = 2, 4  # sides of tiles: a box that fits one takes it, any other as many large ones as it needs
_SLACK = 1e-3  # pixels by which boxes are wider, for float32 rounding; the strict inside test decides afterwards


@dataclass(frozen=True)
class Fragments:
    """Winning face of every pixel; empty pixels hold -1 everywhere."""

    pix_to_face: Tensor  # (N, H, W, 1) int64, image * F + face
    zbuf: Tensor  # (N, H, W, 1) float32
    bary: Tensor  # (N, H, W, 1, 3) float32, linear in screen space


@dataclass(frozen=True)
class Hits:
    """The covered pixels alone, in their order."""

    pixel: Tensor  # (P,) int64, flat index into (N, H, W)
    face: Tensor  # (P,) int64, image * F + face
    depth: Tensor  # (P,) float32
    bary: Tensor  # (3, P) float32, linear in screen space


@dataclass(frozen=True)
class _Faces:
    """The K faces that may cover a pixel; planes start at the first pixel of a face's box."""

    index: Tensor  # (K,) image * F + face
    counts: tuple[int, int, int]  # how many of them, in order, have a box for a small tile, for a large one, for more
    image: Tensor  # (K,)
    col: Tensor  # (K,) int32 first pixel of the box, and its size
    row: Tensor
    cols: Tensor
    rows: Tensor
    planes: Tensor  # (3, 4, K) float32: start, step right and step down of the three barycentrics and of the depth


def rasterize(
    verts: Tensor, faces: Tensor, height: int, width: int, cull_backfaces: Tensor | bool = False
) -> Fragments:
    """Rasterise N meshes sharing one topology: verts (N, V, 3) float32, faces (F, 3) int64.

    x (right) and y (down) span [-1, 1] over the frame, z is the distance from the camera (smaller is nearer).
    Pixel (r, c) samples its centre ((2c+1)/W-1, (2r+1)/H-1); points on an edge are not covered; faces with
    |area| <= 1e-8 or a vertex nearer than z = 1e-8 are skipped; equal depths go to the lowest face index.
    `cull_backfaces` drops faces of negative edge-function area: all, or those that a mask (F,) names.
    Differentiable in verts through zbuf and bary.
    """
    hits = rasterize_hits(verts, faces, height, width, cull_backfaces)
    count, device = len(verts) * height * width, verts.device
    pix_to_face = torch.full((count,), -1, dtype=torch.int64, device=device).index_copy(0, hits.pixel, hits.face)
    zbuf = torch.full((count,), -1.0, device=device).index_copy(0, hits.pixel, hits.depth)
    bary = torch.full((count, 3), -1.0, device=device).index_copy(0, hits.pixel, hits.bary.T)
    shape = (len(verts), height, width, 1)
    return Fragments(pix_to_face.view(shape), zbuf.view(shape), bary.view(*shape, 3))


def rasterize_hits(
    verts: Tensor, faces: Tensor, height: int, width: int, cull_backfaces: Tensor | bool = False
) -> Hits:
    """Return what `rasterize` returns, of the covered pixels alone, which costs less."""
    kept = _prepare(verts, faces, height, width, cull_backfaces)
    keys = _depth_keys(kept, len(verts), height, width)
    pixel = positive(keys != _EMPTY)
    face = keys.index_select(0, pixel) & (2**_BITS - 1)
    where = torch.empty(len(verts) * len(faces), dtype=torch.int64, device=verts.device)
    where.index_copy_(0, kept.index, torch.arange(len(kept.index), device=verts.device))
    winner = where.index_select(0, face)
    place = (pixel % (height * width)).int()  # int32 division is several times cheaper than int64
    row = torch.div(place, width, rounding_mode="floor")
    right = (place - row * width - kept.col.index_select(0, winner)).float()
    down = (row - kept.row.index_select(0, winner)).float()
    start, ahead, below = ([plane.index_select(0, winner) for plane in planes] for planes in kept.planes)
    values = [a + b * right + c * down for a, b, c in zip(start, ahead, below, strict=True)]
    return Hits(pixel, face, values[3], torch.stack(values[:3]))


@torch.no_grad()
def depth_maps(verts: Tensor, faces: Tensor, height: int, width: int, cull_backfaces: bool = False) -> Tensor:
    """Return the depths (N, H, W) of `rasterize`, infinite where nothing is: all that shadows ask."""
    keys = _depth_keys(_prepare(verts, faces, height, width, cull_backfaces), len(verts), height, width)
    depths = (keys >> _BITS).int().view(torch.float32)
    return torch.where(keys == _EMPTY, torch.inf, depths).view(len(verts), height, width)


def _prepare(verts: Tensor, faces: Tensor, height: int, width: int, cull: Tensor | bool) -> _Faces:
    """Return the faces whose box holds a pixel centre, without those that the contract skips."""
    n_images, n_verts = verts.shape[:2]
    verts = verts.float()
    if not torch.isfinite(verts.detach().sum()):
        # a vertex that is not finite is put behind the camera, where its faces are skipped
        verts = torch.where(torch.isfinite(verts).all(2, keepdim=True), verts, -1.0)
    corner = faces.T.contiguous()[:, None]
    if n_images > 1:
        corner = corner + torch.arange(n_images, device=verts.device)[:, None] * n_verts
    corner = corner.view(-1)
    x, y, z = (axis.index_select(0, corner).view(3, -1) for axis in verts.reshape(-1, 3).T.contiguous())
    with torch.no_grad():
        area = (x[2] - x[0]) * (y[1] - y[0]) - (y[2] - y[0]) * (x[1] - x[0])
        if isinstance(cull, Tensor):
            area = torch.where(cull.repeat(n_images), area, area.abs())
        elif not cull:
            area = area.abs()
        col, cols = _pixel_range(x, width)
        row, rows = _pixel_range(y, height)
        index = positive(torch.minimum(torch.minimum(cols, rows), area - _EPS))
        near = torch.minimum(torch.minimum(z[0], z[1]), z[2]).index_select(0, index)
        if near.numel() and near.min() < _EPS:
            index = index[near >= _EPS]
        longest = torch.maximum(cols, rows).index_select(0, index)
        medium = torch.minimum(longest - _SMALL, _TILE + 0.5 - longest)
        sizes = [positive(_SMALL + 0.5 - longest), positive(medium), positive(longest - _TILE)]
        index = index.index_select(0, torch.cat(sizes))
        col, row, cols, rows = (v.index_select(0, index).int() for v in (col, row, cols, rows))
    image = torch.div(index, len(faces), rounding_mode="floor") if n_images > 1 else torch.zeros_like(index)
    x, y, z = (axis.index_select(1, index) for axis in (x, y, z))
    planes = _planes(_from_pixel(x, col, width), _from_pixel(y, row, height), z, height, width)
    return _Faces(index, (len(sizes[0]), len(sizes[1]), len(sizes[2])), image, col, row, cols, rows, planes)


def _pixel_range(corners: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return first pixel and number of pixels whose centre may lie between corners (3, F) of the [-1, 1] axis."""
    a, b, c = corners
    low, high = torch.minimum(torch.minimum(a, b), c), torch.maximum(torch.maximum(a, b), c)
    half = count / 2
    first = torch.ceil(low * half + (half - 0.5 - _SLACK)).clamp(0, count)
    last = torch.floor(high * half + (half - 0.5 + _SLACK)).clamp(-1, count - 1)
    return first, last - first + 1


def _from_pixel(corners: Tensor, first: Tensor, count: int) -> Tensor:
    """Return one coordinate of corners (3, K) as seen from the centre of each face's first pixel.

    Centres are no float32 numbers: what their rounding loses is taken off the small difference.
    """
    exact = (2 * np.arange(count + 1) + 1) / count - 1
    near = exact.astype(np.float32)
    rest = (exact - near).astype(np.float32)
    centre, more = (torch.from_numpy(v).to(first.device).index_select(0, first) for v in (near, rest))
    return (corners - centre) - more


def _planes(x: Tensor, y: Tensor, z: Tensor, height: int, width: int) -> Tensor:
    """Return the planes (3, 4, K) of barycentrics and depth from corners (3, K) seen from the first pixel."""
    # a barycentric is the distance from the edge a -> b opposite to its corner
    x, y = torch.cat((x, x[:2])), torch.cat((y, y[:2]))
    ex, ey = x[2:] - x[1:4], y[2:] - y[1:4]
    area = ex[2] * ey[1] - ey[2] * ex[1]
    share = 1 / (area + _EPS)
    ex, ey = ex * share, ey * share
    bary = (y[1:4] * ex - x[1:4] * ey, ey * (2 / width), ex * (-2 / height))
    # small differences of depth keep their digits, the barycentrics of a sliver's box may be large
    z1, z2 = z[1] - z[0], z[2] - z[0]
    start, ahead, below = (plane[1] * z1 + plane[2] * z2 for plane in bary)
    depth = (start + area * share * z[0], ahead, below)
    planes = x.new_empty(3, 4, x.shape[1])
    for k in range(3):
        planes[k, :3] = bary[k]
        planes[k, 3] = depth[k]
    return planes


@torch.no_grad()
def _depth_keys(faces: _Faces, n_images: int, height: int, width: int) -> Tensor:
    """Return per pixel the smallest (depth bits << 32 | image * F + face), flat (N * H * W)."""
    # a margin around the pictures catches what tiles reach over their right and lower edges
    wide, high = width + _TILE, height + _TILE
    keys = torch.full((n_images * high * wide,), _EMPTY, dtype=torch.int64, device=faces.index.device)
    first = (faces.image * high + faces.row) * wide + faces.col
    small, medium, large = (slice(sum(faces.counts[:k]), sum(faces.counts[: k + 1])) for k in range(3))
    for fit, side in ((small, _SMALL), (medium, _TILE)):
        _compete(keys, faces.index[fit], faces.planes[:, :, fit], first[fit], side, wide)
    _compete(keys, *_cut(faces, large, first[large], wide), _TILE, wide)
    return keys.view(n_images, high, wide)[:, :height, :width].reshape(-1)


def _cut(faces: _Faces, large: slice, first: Tensor, wide: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return face, planes and first pixel of every tile that the boxes of large faces are cut into."""
    across = torch.div(faces.cols[large] + (_TILE - 1), _TILE, rounding_mode="floor")
    count = across * torch.div(faces.rows[large] + (_TILE - 1), _TILE, rounding_mode="floor")
    box = torch.repeat_interleave(count)
    # int32 division is several times cheaper than int64
    local = (torch.arange(len(box), device=box.device) - (count.cumsum(0) - count).index_select(0, box)).int()
    across = across.index_select(0, box)
    down = torch.div(local, across, rounding_mode="floor")
    right, down = (local - down * across) * _TILE, down * _TILE
    planes = torch.stack([row.index_select(0, box) for row in faces.planes[:, :, large].reshape(12, -1)]).view(3, 4, -1)
    start, ahead, below = planes
    start += ahead * right.float() + below * down.float()
    return faces.index[large].index_select(0, box), planes, first.index_select(0, box) + (down * wide + right)


def _compete(keys: Tensor, face: Tensor, planes: Tensor, first: Tensor, side: int, wide: int) -> None:
    """Let the pixels of tiles (T,) that lie inside their face compete for their place in keys, in place."""
    if len(face) == 0:
        return
    steps = torch.arange(side, device=keys.device, dtype=torch.float32)[:, None]
    start, ahead, below = planes[:, :3, None]
    weights = (start + below * steps)[:, :, None] + (ahead * steps)[:, None]
    lowest = torch.minimum(torch.minimum(weights[0], weights[1]), weights[2])
    inside = positive(lowest.view(-1)).int()
    offset = torch.div(inside, len(face), rounding_mode="floor")
    tile = inside - offset * len(face)
    down = torch.div(offset, side, rounding_mode="floor")
    right = offset - down * side
    start, ahead, below = (plane.index_select(0, tile) for plane in planes[:, 3])
    depth = (start + ahead * right + below * down).clamp_(min=0)
    # bits of non-negative floats sort like the floats; adding 0.0 turns -0.0 into +0.0
    key = (depth + 0.0).view(torch.int32).long() << _BITS | face.index_select(0, tile)
    keys.scatter_reduce_(0, first.index_select(0, tile) + (down * wide + right), key, "amin")


def positive(values: Tensor) -> Tensor:
    """Return the places of positive flat values; on a CPU numpy finds them several times faster than torch."""
    if values.device.type == "cpu":
        return torch.from_numpy(np.flatnonzero(values.detach().numpy() > 0))
    return (values > 0).nonzero().squeeze(1)
