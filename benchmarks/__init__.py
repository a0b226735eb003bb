"""Measurements behind the figures of the documentation: quality, and speed as ratios within one run."""
