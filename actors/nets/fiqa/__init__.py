"""Trainable networks of face image quality with one contract, and the table of their names."""
