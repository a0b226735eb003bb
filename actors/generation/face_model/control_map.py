"""Draws the nine-channel control maps of 3-D faces: normals, albedo and shaded albedo."""

import torch
from torch import Tensor
from torch.nn import functional

from synfiqa.actors.generation.face_model.camera import FRAME, to_crop, to_frame, triangles_around, vertex_normals
from synfiqa.actors.generation.face_model.parameters import FaceParameters
from synfiqa.actors.generation.face_model.protocol import FaceModel
from synfiqa.actors.generation.face_model.renderer import Renderer
from synfiqa.actors.generation.face_model.sh_light import shading

CHANNELS = 9
"""World normal x, y, z in [-1, 1]; albedo R, G, B; albedo times shading R, G, B. No rescaling, background 0."""


class ControlMaps:
    """Draws control maps of a face model, `micro_batch` faces at a time.

    The geometry is always computed for a whole micro-batch and all else face by face, so that a map does not
    depend on its neighbours.
    """

    def __init__(self, model: FaceModel, renderer: Renderer, size: int = FRAME, micro_batch: int = 10) -> None:
        self.model = model
        self.renderer = renderer
        self.size = size
        self.micro_batch = micro_batch
        self._around: Tensor | None = None
        # (u to the right, v up) in 0..1 becomes (x to the right, y down) in [-1, 1] of the texture.
        self._uv = (2 * model.uv - 1) * model.uv.new_tensor([1.0, -1.0])

    @torch.no_grad()
    def draw(self, parameters: FaceParameters) -> Tensor:
        """Return float32 (N, 9, size, size) on the model's device, one map per row of the parameters."""
        parameters = parameters.to(self.model.faces.device)
        step = self.micro_batch
        drawn = [self._draw(parameters.rows(slice(at, at + step))) for at in range(0, len(parameters), step)]
        return torch.cat(drawn) if drawn else self._uv.new_zeros((0, CHANNELS, self.size, self.size))

    def _draw(self, chunk: FaceParameters) -> Tensor:
        faces, size, count = self.model.faces, self.size, len(chunk)
        shape, expression, pose = (self._padded(v) for v in (chunk.shape, chunk.expression, chunk.pose))
        vertices = self.model.geometry(shape, expression, pose)[:count]
        if self._around is None:
            self._around = triangles_around(faces, vertices.shape[1])
        normals = vertex_normals(vertices, faces, self._around)
        screen = to_frame(to_crop(vertices, chunk.camera), chunk.tform)
        fragments = self.renderer.rasterize(screen, faces, size)

        packed = fragments.pix_to_face.reshape(-1)
        hit = (packed >= 0).nonzero().squeeze(1)
        face, image = packed[hit] % len(faces), packed[hit] // len(faces)
        weights = fragments.bary.reshape(-1, 3)[hit][..., None]
        uv = (self._uv[self.model.uv_faces[face]] * weights).sum(1)
        # As released, interpolated normals are not rescaled to unit length.
        normal = (normals[image[:, None], faces[face]] * weights).sum(1)
        albedo = self._albedo(chunk.texture, uv, image, hit)
        lit = albedo * shading(normal, chunk.light[image])

        canvas = torch.zeros(count * size * size, CHANNELS, device=uv.device)
        canvas[hit] = torch.cat([normal, albedo, lit], dim=1)
        return canvas.view(count, size, size, CHANNELS).permute(0, 3, 1, 2).contiguous()

    def _albedo(self, texture: Tensor, uv: Tensor, image: Tensor, hit: Tensor) -> Tensor:
        """Return the albedo (M, 3) at texture positions (M, 2) of the hit pixels; a person's texture is made once."""
        area = self.size * self.size
        grid = uv.new_zeros((len(texture) * area, 2))
        grid[hit] = uv
        grid = grid.view(len(texture), self.size, self.size, 2)
        found = uv.new_empty((len(uv), 3))
        made = None
        for index in range(len(texture)):
            if made is None or not torch.equal(texture[index], texture[index - 1]):
                made = self.model.albedo(texture[index : index + 1])
            sampled = functional.grid_sample(made, grid[index : index + 1], align_corners=False)[0].view(3, area)
            mine = image == index
            found[mine] = sampled[:, hit[mine] - index * area].T
        return found

    def _padded(self, rows: Tensor) -> Tensor:
        missing = self.micro_batch - len(rows)
        return torch.cat([rows, rows[-1:].expand(missing, *rows.shape[1:])]) if missing else rows
