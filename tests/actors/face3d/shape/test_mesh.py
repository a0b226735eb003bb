"""A surface is a mesh without attributes."""

import numpy as np

from synfiqa.actors.face3d.shape.head import neutral_grid
from synfiqa.actors.face3d.shape.identity import sample_identity
from synfiqa.actors.face3d.shape.mesh import Part, assemble, surface
from synfiqa.actors.face3d.wear.body import bun


def test_a_surface_has_the_vertices_and_faces_of_the_assembled_mesh():
    grid = neutral_grid(sample_identity(2))
    keep = np.zeros((grid.shape[0] - 1, grid.shape[1] - 1), bool)
    keep[3:9, 4:20] = True
    parts = [Part("head", grid[::2, ::2]), bun(), Part("face", grid, keep=keep)]
    verts, faces = surface(parts)
    mesh = assemble(parts)
    assert verts.dtype == mesh.verts.dtype
    assert faces.dtype == mesh.faces.dtype
    np.testing.assert_array_equal(verts, mesh.verts)
    np.testing.assert_array_equal(faces, mesh.faces)
