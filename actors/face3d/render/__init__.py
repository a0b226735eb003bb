"""Rasteriser, light, shadow and background: from a scene to pixels."""
