"""Datasets to read: runs of this project, opened from their folder or URL."""
