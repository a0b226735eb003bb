"""The bars of the embedded faces, one module a subject; `python -m benchmarks.faces` prints them together."""
