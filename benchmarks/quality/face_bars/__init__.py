"""Bars of the embedded faces, one module a subject; `python -m benchmarks.quality.faces` prints them together."""
