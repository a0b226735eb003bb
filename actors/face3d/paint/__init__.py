"""Painting of the face texture: canvas and facial features."""
