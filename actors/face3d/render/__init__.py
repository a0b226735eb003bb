"""Rendering: scene, rasteriser, lighting, shadows and background."""
