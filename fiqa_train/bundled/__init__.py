"""Training of the bundled networks on renders of this project: no download, CPU only."""
