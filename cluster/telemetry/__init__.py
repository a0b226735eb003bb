"""Stage spans, GPU samples, progress lines and steady windows."""
