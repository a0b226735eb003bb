"""Spans, GPU samples, progress and utilisation windows."""
