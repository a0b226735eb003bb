"""Detectors, head pose, glasses, expression and face parsing."""
