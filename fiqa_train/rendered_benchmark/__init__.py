"""The rendered benchmark: a verification benchmark for quality models, reproducible byte for byte from a seed."""
