"""Geometry of the head: identity, expression, mesh, regions."""
