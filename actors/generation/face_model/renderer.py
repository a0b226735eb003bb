"""Selects the rasteriser (ours, or PyTorch3D's where it is installed); same interface.

Both draw the same but for rounding: of 1.29 million covered pixels of heads and scenes one differed, and control maps
by up to 1e-4, so that bytes of images differ.

Pixel centres, strict edges, both sides drawn, the lowest face wins ties, weights linear on the screen, nothing nearer
than z = 1e-8: `synfiqa.actors.face3d.render.rasterizer` has the details, and tests hold them for both.
"""

from importlib import import_module
from typing import Literal, Protocol

import torch
from torch import Tensor

from synfiqa.actors.face3d.render import rasterizer
from synfiqa.actors.face3d.render.rasterizer import Fragments
from synfiqa.schemas.errors import UserError

RendererName = Literal["torch", "pytorch3d"]


class Renderer(Protocol):
    """Finds the nearest triangle of every pixel."""

    def rasterize(self, vertices: Tensor, faces: Tensor, size: int) -> Fragments:
        """Return the fragments of N meshes (N, V, 3) with faces (F, 3), size x size pixels.

        x runs right and y down over [-1, 1], z is the distance. Images do not depend on each other.
        """
        ...


class TorchRenderer:
    """`Renderer` on `synfiqa.actors.face3d.render.rasterizer`, on any device."""

    def rasterize(self, vertices: Tensor, faces: Tensor, size: int) -> Fragments:
        """Return the nearest triangle of every pixel."""
        return rasterizer.rasterize(vertices, faces, size, size)


class Pytorch3dRenderer:
    """`Renderer` on PyTorch3D's `rasterize_meshes`, in float32; UserError where it is not installed."""

    def __init__(self) -> None:
        try:
            self._rasterize = import_module("pytorch3d.renderer.mesh").rasterize_meshes
            self._meshes = import_module("pytorch3d.structures").Meshes
        except ImportError as error:
            raise UserError(
                f"renderer pytorch3d cannot be imported ({error}): install PyTorch3D for this PyTorch from its sources "
                "(see its INSTALL.md), or set the renderer to torch, which draws the same but for rounding"
            ) from error

    def rasterize(self, vertices: Tensor, faces: Tensor, size: int) -> Fragments:
        """Return the nearest triangle of every pixel."""
        # In PyTorch3D x runs left and y up.
        turned = vertices.float() * torch.tensor([-1.0, -1.0, 1.0], device=vertices.device)
        meshes = self._meshes(verts=turned, faces=faces[None].expand(len(vertices), -1, -1))
        pix_to_face, zbuf, bary, _ = self._rasterize(
            meshes,
            image_size=size,
            blur_radius=0.0,
            faces_per_pixel=1,
            bin_size=None,
            max_faces_per_bin=None,
            perspective_correct=False,
        )
        return Fragments(pix_to_face, zbuf, bary)


def renderer_named(name: RendererName) -> Renderer:
    """Return the renderer of a name; UserError when it is not installed."""
    return Pytorch3dRenderer() if name == "pytorch3d" else TorchRenderer()
