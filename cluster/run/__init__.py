"""Manifest, fingerprint, generations, file roles and lease of a run folder."""
