"""Faults of cameras and aligners: drawn as recipes, applied as operators."""
