"""Trains the bundled networks from nothing: renders of our own, no download, CPU only."""
