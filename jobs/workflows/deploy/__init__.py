"""Manifests of cluster managers, filled in from a config."""
