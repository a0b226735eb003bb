"""Face recognition embedders."""
