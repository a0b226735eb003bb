"""Synthetic face-image-quality datasets, and quality models trained on them."""
