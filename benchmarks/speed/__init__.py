"""Measures pace and memory as ratios side by side in one run."""
