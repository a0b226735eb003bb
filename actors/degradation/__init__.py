"""Capture and alignment faults: sampled into recipes, applied to face crops."""
