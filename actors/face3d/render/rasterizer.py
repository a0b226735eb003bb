"""Exact z-buffer rasteriser, batched, with the outputs of PyTorch3D's `rasterize_meshes` (one face per pixel).

Barycentrics and depth of each face are planes over the pixels. Boxes around faces are split into square tiles, all
tiles of one size are evaluated together, and the nearest face that covers a pixel wins it. On a CPU the same code runs
on numpy arrays, whose calls cost a tenth of torch's; meshes on other devices stay there.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from synfiqa.actors.face3d.render.window import Window

_EPS = 1e-8
_EMPTY = 2**63 - 1
_BITS = 32
_SMALL, _TILE = 2, 4  # sides of tiles: a box that fits one has one tile, any other several large ones
_SLACK = 1e-3  # pixels by which boxes are wider, for float32 rounding; the strict inside test decides afterwards


@dataclass(frozen=True)
class Fragments:
    """Winning face of every pixel; empty pixels hold -1 everywhere."""

    pix_to_face: Tensor  # (N, H, W, 1) int64, image * F + face
    zbuf: Tensor  # (N, H, W, 1) float32
    bary: Tensor  # (N, H, W, 1, 3) float32, linear in screen space


@dataclass(frozen=True)
class Hits:
    """Results for covered pixels only, in rising order."""

    pixel: Tensor  # (P,) int64, flat index into (N, H, W)
    face: Tensor  # (P,) int64, image * F + face
    depth: Tensor  # (P,) float32
    bary: Tensor  # (3, P) float32, linear in screen space


Array = Any
"""A numpy array or a torch tensor; all arguments of a call are of one kind."""


@dataclass(frozen=True)
class _Faces:
    """The K faces that may cover a pixel; planes start at the first pixel of a face's box."""

    index: Array  # (K,) image * F + face
    counts: tuple[int, int, int]  # how many of them, in order, have a box for a small tile, for a large one, for more
    image: Array  # (K,)
    col: Array  # (K,) int32 first pixel of the box, and its size
    row: Array
    cols: Array
    rows: Array
    planes: Array  # (3, 4, K) float32: start, step right and step down of the three barycentrics and of the depth
    tests: Array  # (3, 4, K) the same of the three edge functions, positive inside, and of the depth


def rasterize(
    verts: Tensor, faces: Tensor, height: int, width: int, cull_backfaces: Tensor | bool = False
) -> Fragments:
    """Rasterise N meshes sharing one topology: verts (N, V, 3) float32, faces (F, 3) int64.

    x (right) and y (down) span [-1, 1] over the frame, z is the distance from the camera (smaller is nearer).
    Pixel (r, c) samples its centre ((2c+1)/W-1, (2r+1)/H-1); points on an edge are not covered; faces with
    |area| <= 1e-8 or a vertex nearer than z = 1e-8 are skipped; equal depths go to the lowest face index.
    `cull_backfaces` drops faces of negative edge-function area: all, or those selected by a mask (F,).
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
    verts: Tensor,
    faces: Tensor,
    height: int,
    width: int,
    cull_backfaces: Tensor | bool = False,
    window: Window | None = None,
) -> Hits:
    """Return the results of `rasterize` for covered pixels only, which costs less.

    With a `window` of the frame for those inside it alone; `pixel` is then an index into (N, its rows, its columns).
    """
    n_images, n_faces, device = len(verts), len(faces), verts.device
    left, top, right_edge, bottom = window = window or (0, 0, width, height)
    across = right_edge - left
    kept = _prepare(*_arrays(verts, faces, cull_backfaces), height, width, window)
    keys = _depth_keys(kept, n_images, height, width, window)
    pixel = positive(_EMPTY - keys)
    face = _take(keys, pixel) & (2**_BITS - 1)
    place = _as_int32(pixel % ((bottom - top) * across))  # int32 division is several times cheaper than int64
    row = place // across
    where = _arange(n_images * n_faces, keys)
    where[kept.index] = _arange(len(kept.index), keys)
    winner = _take(where, face)
    right = place - row * across + left - _take(kept.col, winner)
    down = row + top - _take(kept.row, winner)
    if torch.is_grad_enabled() and verts.requires_grad:
        planes = _tracked_planes(verts, faces, kept, winner, height, width)
        face, pixel, right, down = (torch.as_tensor(v, device=device) for v in (face, pixel, right, down))
        values = [planes[0, k] + planes[1, k] * right + planes[2, k] * down for k in range(4)]
        return Hits(pixel, face, values[3], torch.stack(values[:3]))
    right, down = _as_float32(right), _as_float32(down)
    out = _namespace(keys).stack(
        [
            _take(kept.planes[0, k], winner)
            + _take(kept.planes[1, k], winner) * right
            + _take(kept.planes[2, k], winner) * down
            for k in range(4)
        ]
    )
    pixel, face, out = (torch.as_tensor(v) for v in (pixel, face, out))
    return Hits(pixel, face, out[3], out[:3])


def depth_maps(verts: Tensor, faces: Tensor, height: int, width: int, cull_backfaces: bool = False) -> Tensor:
    """Return the depths (N, H, W) of `rasterize`, infinite at empty pixels."""
    window = 0, 0, width, height
    kept = _prepare(*_arrays(verts, faces, cull_backfaces), height, width, window)
    keys = _depth_keys(kept, len(verts), height, width, window)
    keys = torch.as_tensor(keys)
    depths = (keys >> _BITS).int().view(torch.float32)
    return torch.where(keys == _EMPTY, torch.inf, depths).view(len(verts), height, width)


def positive(values: Array) -> Array:
    """Return the indices of positive flat values."""
    # On a CPU numpy is several times faster than torch.
    if isinstance(values, np.ndarray):
        return np.flatnonzero(values > 0)
    if values.device.type == "cpu":
        return torch.from_numpy(np.flatnonzero(values.detach().numpy() > 0))
    return (values > 0).nonzero().squeeze(1)


def _arrays(verts: Tensor, faces: Tensor, cull: Tensor | bool) -> tuple[Array, Array, Array]:
    """Return vertices, faces and what to cull as numpy arrays when they are on the CPU."""
    verts = verts.detach().float()
    if verts.device.type != "cpu":
        return verts, faces, cull
    return verts.numpy(), faces.numpy(), cull.numpy() if isinstance(cull, Tensor) else cull


def _prepare(verts: Array, faces: Array, cull: Array, height: int, width: int, window: Window) -> _Faces:
    """Return the faces whose box holds a pixel centre of the window, without those that `rasterize` skips."""
    xp = _namespace(verts)
    n_images, n_faces = len(verts), len(faces)
    if not np.isfinite(float(verts.sum())):
        # a vertex that is not finite is put behind the camera, where its faces are skipped
        verts = xp.where(xp.isfinite(verts).all(2)[..., None], verts, xp.full_like(verts, -1.0))
    corner = [_corner(faces[:, k], n_images, verts.shape[1]) for k in range(3)]
    x, y = ([_take(axis.reshape(-1), c) for c in corner] for axis in (verts[..., 0], verts[..., 1]))
    area = (x[2] - x[0]) * (y[1] - y[0]) - (y[2] - y[0]) * (x[1] - x[0])
    if not isinstance(cull, bool):
        area = xp.where(xp.concatenate([cull] * n_images) if n_images > 1 else cull, area, abs(area))
    elif not cull:
        area = abs(area)
    index = positive(area - _EPS)
    x, y, corner = ([_take(v, index) for v in values] for values in (x, y, corner))
    col, cols = _pixel_range(x, width)
    row, rows = _pixel_range(y, height)
    reached = xp.minimum(cols, rows)
    if window != (0, 0, width, height):
        left, top, right, bottom = window
        reached = xp.minimum(reached, xp.minimum(right - col, col + cols - left))
        reached = xp.minimum(reached, xp.minimum(bottom - row, row + rows - top))
    kept = positive(reached)
    depth = verts[..., 2].reshape(-1)
    z = [_take(depth, _take(c, kept)) for c in corner]
    near = xp.minimum(xp.minimum(z[0], z[1]), z[2])
    if len(near) and float(near.min()) < _EPS:
        kept = kept[near >= _EPS]
        z = [_take(depth, _take(c, kept)) for c in corner]
    longest = _take(xp.maximum(cols, rows), kept)
    medium = xp.minimum(longest - _SMALL, _TILE + 0.5 - longest)
    sizes = [positive(_SMALL + 0.5 - longest), positive(medium), positive(longest - _TILE)]
    order = xp.concatenate(sizes)
    z = [_take(v, order) for v in z]
    kept = _take(kept, order)
    index = _take(index, kept)
    col, row, cols, rows = (_as_int32(_take(v, kept)) for v in (col, row, cols, rows))
    x, y = ([_take(v, kept) for v in axis] for axis in (x, y))
    x, y = _from_pixel(x, col, width), _from_pixel(y, row, height)
    planes = _planes(x, y, z, height, width)
    tests = xp.concatenate([_edges(x, y, height, width), planes[:, 3:]], 1)
    image = index // n_faces if n_images > 1 else index * 0
    return _Faces(index, (len(sizes[0]), len(sizes[1]), len(sizes[2])), image, col, row, cols, rows, planes, tests)


def _corner(faces: Array, n_images: int, n_verts: int) -> Array:
    """Return one corner (N * F,) of the faces of all images."""
    return faces if n_images == 1 else _namespace(faces).concatenate([faces + n * n_verts for n in range(n_images)])


def _pixel_range(corners: list[Array], count: int) -> tuple[Array, Array]:
    """Return first pixel and number of pixels whose centre may lie between 3 corners (F,) of the [-1, 1] axis."""
    xp = _namespace(corners[0])
    a, b, c = corners
    low, high = xp.minimum(xp.minimum(a, b), c), xp.maximum(xp.maximum(a, b), c)
    half = count / 2
    first = xp.clip(xp.ceil(low * half + (half - 0.5 - _SLACK)), 0, count)
    last = xp.clip(xp.floor(high * half + (half - 0.5 + _SLACK)), -1, count - 1)
    return first, last - first + 1


def _from_pixel(corners: list[Array], first: Array, count: int) -> list[Array]:
    """Return one coordinate of 3 corners (K,) relative to the centre of each face's first pixel.

    Pixel centres are not exact in float32; their rounding error is subtracted from the small difference.
    """
    exact = (2 * np.arange(count + 1) + 1) / count - 1
    near = exact.astype(np.float32)
    rest = (exact - near).astype(np.float32)
    centre, more = (_take(_on_device_of(v, first), first) for v in (near, rest))
    return [(corner - centre) - more for corner in corners]


def _planes(x: list[Array], y: list[Array], z: list[Array], height: int, width: int) -> Array:
    """Return the planes (3, 4, K) of barycentrics and depth from 3 corners (K,) relative to the first pixel."""
    xp = _namespace(x[0])
    area = (x[2] - x[0]) * (y[1] - y[0]) - (y[2] - y[0]) * (x[1] - x[0])
    share = 1 / (area + _EPS)
    start, ahead, below = [], [], []
    for a, b in ((1, 2), (2, 0), (0, 1)):  # the edge opposite to each corner
        ex, ey = (x[b] - x[a]) * share, (y[b] - y[a]) * share
        start.append(y[a] * ex - x[a] * ey)
        ahead.append(ey * (2 / width))
        below.append(ex * (-2 / height))
    # differences of depth keep precision where the barycentrics of a sliver are large
    z1, z2 = z[1] - z[0], z[2] - z[0]
    start.append(area * share * z[0] + (start[1] * z1 + start[2] * z2))
    ahead.append(ahead[1] * z1 + ahead[2] * z2)
    below.append(below[1] * z1 + below[2] * z2)
    return xp.stack([*start, *ahead, *below]).reshape(3, 4, -1)


def _edges(x: list[Array], y: list[Array], height: int, width: int) -> Array:
    """Return the planes (3, 3, K) of the edge functions, positive inside whatever the order of the corners.

    Barycentrics are edge functions over the area, whose division rounds: a point exactly on an edge could come out
    inside. Without it the edge functions of corners on pixel centres are exact.
    """
    xp = _namespace(x[0])
    area = (x[2] - x[0]) * (y[1] - y[0]) - (y[2] - y[0]) * (x[1] - x[0])
    sign = xp.sign(area)
    start, ahead, below = [], [], []
    for a, b in ((1, 2), (2, 0), (0, 1)):
        ex, ey = (x[b] - x[a]) * sign, (y[b] - y[a]) * sign
        start.append(y[a] * ex - x[a] * ey)
        ahead.append(ey * (2 / width))
        below.append(ex * (-2 / height))
    return xp.stack([*start, *ahead, *below]).reshape(3, 3, -1)


def _tracked_planes(verts: Tensor, faces: Tensor, kept: _Faces, winner: Array, height: int, width: int) -> Tensor:
    """Return the planes (3, 4, P) of the winning faces, computed again so as to be differentiable in verts."""
    index, image, col, row = (
        torch.as_tensor(_take(v, winner), device=verts.device) for v in (kept.index, kept.image, kept.col, kept.row)
    )
    corners = verts.float()[image[:, None], faces[index % len(faces)]]
    x, y, z = (list(corners[..., axis].unbind(1)) for axis in range(3))
    return _planes(_from_pixel(x, col, width), _from_pixel(y, row, height), z, height, width)


def _depth_keys(faces: _Faces, n_images: int, height: int, width: int, window: Window) -> Array:
    """Return per pixel of a window the smallest (depth bits << 32 | image * F + face), flat (N * rows * columns)."""
    # a margin holds the tile pixels beyond the right and lower edges of the images
    wide, high = width + _TILE, height + _TILE
    keys = _arange(n_images * high * wide, faces.index)
    keys[:] = _EMPTY
    first = (faces.image * high + faces.row) * wide + faces.col
    small, medium, large = (slice(sum(faces.counts[:k]), sum(faces.counts[: k + 1])) for k in range(3))
    for fit, side in ((small, _SMALL), (medium, _TILE)):
        _resolve_depth(keys, faces.index[fit], faces.tests[:, :, fit], first[fit], side, wide)
    if faces.counts[2]:
        _resolve_depth(keys, *_split_into_tiles(faces, large, first[large], wide), _TILE, wide)
    left, top, right, bottom = window
    return keys.reshape(n_images, high, wide)[:, top:bottom, left:right].reshape(-1)


def _split_into_tiles(faces: _Faces, large: slice, first: Array, wide: int) -> tuple[Array, Array, Array]:
    """Return face, tests and first pixel of every tile of the boxes of large faces."""
    across = (faces.cols[large] + (_TILE - 1)) // _TILE
    count = across * ((faces.rows[large] + (_TILE - 1)) // _TILE)
    each = _arange(len(count), first)
    box = np.repeat(each, count) if isinstance(each, np.ndarray) else torch.repeat_interleave(each, count)
    local = _as_int32(_arange(len(box), box) - _take(count.cumsum(0) - count, box))
    across = _take(across, box)
    down = local // across
    right, down = (local - down * across) * _TILE, down * _TILE
    of_face = faces.tests[:, :, large]
    ahead, below = ([_take(of_face[i, k], box) for k in range(4)] for i in (1, 2))
    start = [_take(of_face[0, k], box) + ahead[k] * _as_float32(right) + below[k] * _as_float32(down) for k in range(4)]
    tests = _namespace(first).stack([*start, *ahead, *below]).reshape(3, 4, -1)
    return _take(faces.index[large], box), tests, _take(first, box) + (down * wide + right)


def _resolve_depth(keys: Array, face: Array, tests: Array, first: Array, side: int, wide: int) -> None:
    """Lower `keys`, in place, to the depth keys of the pixels of tiles (T,) that lie inside their face."""
    if len(face) == 0:
        return
    xp = _namespace(keys)
    steps = _as_float32(_arange(side, keys))[:, None]
    lowest: Array = None
    for start, ahead, below in zip(tests[0, :3], tests[1, :3], tests[2, :3], strict=True):
        weight = (start + below * steps)[:, None] + ahead * steps
        lowest = weight if lowest is None else xp.minimum(lowest, weight, out=lowest)
    inside = _as_int32(positive(lowest.reshape(-1)))
    offset = inside // len(face)
    tile = inside - offset * len(face)
    down = offset // side
    right = offset - down * side
    depth = (
        _take(tests[0, 3], tile)
        + _take(tests[1, 3], tile) * _as_float32(right)
        + _take(tests[2, 3], tile) * _as_float32(down)
    )
    # bits of non-negative floats sort like the floats; adding 0.0 turns -0.0 into +0.0
    depth = xp.clip(depth, 0, None) + 0.0
    place = _take(first, tile) + (down * wide + right)
    if isinstance(keys, np.ndarray):
        key = depth.view(np.int32).astype(np.int64) << _BITS | _take(face, tile)
        np.minimum.at(keys, place, key)
    else:
        key = depth.view(torch.int32).long() << _BITS | _take(face, tile)
        keys.scatter_reduce_(0, place, key, "amin")


def _namespace(array: Array) -> Any:
    return np if isinstance(array, np.ndarray) else torch


def _take(array: Array, index: Array) -> Array:
    return array.take(index) if isinstance(array, np.ndarray) else array.index_select(0, index)


def _arange(count: int, like: Array) -> Array:
    """Return 0 .. count - 1 as int64 where `like` is."""
    return np.arange(count) if isinstance(like, np.ndarray) else torch.arange(count, device=like.device)


def _on_device_of(array: np.ndarray, like: Array) -> Array:
    return array if isinstance(like, np.ndarray) else torch.from_numpy(array).to(like.device)


def _as_int32(array: Array) -> Array:
    return array.astype(np.int32) if isinstance(array, np.ndarray) else array.int()


def _as_float32(array: Array) -> Array:
    return array.astype(np.float32) if isinstance(array, np.ndarray) else array.float()
